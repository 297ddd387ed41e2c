"""An Android-like arm64 file tree: mksh and toybox, getprop and dumpsys, and no loader for glibc's programs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab import debs
from lab.cache import cache_folder, kept
from lab.namespaces import emulator
from lab.unavailable import need_programs

PACKAGES = ("libc6", "libcrypt1", "mksh", "toybox")
SHELL_ID = 2000
"""Android's user `shell`, which adb's commands run as."""

# Toybox itself is a glibc program: its loader and libraries are hidden where no other program looks.
_HIDDEN = "apex/lab.toybox"

_GETPROP = """\
#!/system/bin/sh
if [ $# -eq 0 ]; then
  while IFS='=' read -r key value; do echo "[$key]: [$value]"; done </system/build.prop
else
  while IFS='=' read -r key value; do [ "$key" = "$1" ] && echo "$value" && exit 0; done </system/build.prop
  echo "${2-}"
fi
"""
_DUMPSYS = """\
#!/system/bin/sh
file=/system/dumpsys/$1.txt
[ -f "$file" ] && exec cat "$file"
echo "Can't find service: $1"
"""
_PROPERTIES = """\
ro.product.manufacturer=Google
ro.product.brand=google
ro.product.model=Pixel 8
ro.product.device=shiba
ro.product.cpu.abi=arm64-v8a
ro.product.cpu.abilist=arm64-v8a
ro.build.version.release=14
ro.build.version.sdk=34
ro.build.fingerprint=google/shiba/shiba:14/UD1A.230803.041/10808477:user/release-keys
ro.board.platform=zuma
ro.hardware=shiba
ro.soc.manufacturer=Google
ro.soc.model=Tensor G3
ro.serialno=LAB0000000001
"""
_BATTERY = """\
Current Battery Service state:
  AC powered: false
  USB powered: false
  Wireless powered: false
  status: 3
  health: 2
  present: true
  level: 83
  scale: 100
  voltage: 4123
  temperature: 312
  technology: Li-ion
"""


def android_root() -> Path:
    """The file tree, from the cache or made now. Never written to: devices lay their own files over it."""
    need_programs(("patchelf",), "patchelf")
    emulator()
    source = debs.fetch(PACKAGES)
    digest = hashlib.sha256(source.name.encode() + Path(__file__).read_bytes()).hexdigest()[:12]
    return kept(cache_folder() / "roots" / f"android-{digest}", lambda root: _build(source, root))


def _build(source: Path, root: Path) -> None:
    for folder in (
        "system/bin",
        "system/dumpsys",
        _HIDDEN,
        "data/local/tmp",
        "vendor/bin",
        "dev",
        "proc",
        "sys",
        "mnt",
    ):
        (root / folder).mkdir(parents=True)
    (root / "bin").symlink_to("/system/bin")
    (root / "sdcard").symlink_to("/storage/emulated/0")
    # Android's C library knows its users by itself; toybox's here looks for a table.
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text(f"root:x:0:0::/:/system/bin/sh\nshell:x:{SHELL_ID}:{SHELL_ID}::/:/system/bin/sh\n")
    (root / "etc/group").write_text(f"root:x:0:\nshell:x:{SHELL_ID}:\n")
    for folder, mode in (("data", 0o771), ("data/local", 0o751), ("data/local/tmp", 0o771)):
        (root / folder).chmod(mode)
    os.chown(root / "data/local/tmp", SHELL_ID, SHELL_ID)
    with tempfile.TemporaryDirectory() as temporary:
        unpacked = Path(temporary)
        debs.unpack(source, unpacked)
        _install_tools(unpacked, root)
    _write_program(root / "system/bin/getprop", _GETPROP)
    _write_program(root / "system/bin/dumpsys", _DUMPSYS)
    (root / "system/build.prop").write_text(_PROPERTIES)
    (root / "system/dumpsys/battery.txt").write_text(_BATTERY)


def _install_tools(unpacked: Path, root: Path) -> None:
    programs = root / "system" / "bin"
    # Of mksh's variants the static one against diet libc needs no loader.
    shutil.copy(unpacked / "usr/lib/diet/bin/mksh", programs / "sh")
    for name in ("ld-linux-aarch64.so.1", "libc.so.6", "libm.so.6", "libcrypt.so.1"):
        found = next(unpacked.rglob(name))
        shutil.copy(found, root / _HIDDEN / name)
    toybox = programs / "toybox"
    shutil.copy(next(path for path in unpacked.rglob("toybox") if path.parent.name == "bin"), toybox)
    hide = ["patchelf", "--set-interpreter", f"/{_HIDDEN}/ld-linux-aarch64.so.1", "--set-rpath", f"/{_HIDDEN}"]
    subprocess.run([*hide, str(toybox)], check=True)
    listing = [emulator(), "-L", str(root), "-E", f"LD_LIBRARY_PATH=/{_HIDDEN}", str(toybox)]
    applets = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split()
    for applet in applets:
        if not (programs / applet).exists():
            (programs / applet).symlink_to("toybox")


def _write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
