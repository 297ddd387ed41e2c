"""The scripts themselves, run by real shells over planted trees: nothing in a file can break out of its section."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from recorded_devices import MARKER, ORIN_NANO, PIXEL_8

from edgeshrink.devices.probing.parse import parse
from edgeshrink.devices.probing.script import SYSCTLS, probe_script, state_script
from edgeshrink.devices.probing.sections import Sections, read_sections
from edgeshrink.errors import UsageError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell script")

SHELLS = {
    name: words
    for name, words in {
        "dash": ("dash",), "bash as on a Mac": ("bash", "--posix"), "ash": ("busybox", "sh"), "mksh": ("mksh",),
    }.items()
    if shutil.which(words[0])
}  # fmt: skip
Plant = Callable[[Mapping[str, str | bytes]], Path]
Ask = Callable[..., Sections]


@pytest.fixture
def tree() -> Iterator[Path]:
    """A folder that any user may enter: what is denied must be denied by the file alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def plant(tree: Path) -> Plant:
    def build(files: Mapping[str, str | bytes]) -> Path:
        for name, text in files.items():
            path = tree / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tree

    return build


@pytest.fixture(params=sorted(SHELLS))
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return SHELLS[request.param]


@pytest.fixture
def ask(tree: Path, shell: tuple[str, ...]) -> Ask:
    """Run a script in the shell as if `tree` were the root: only its paths are rewritten. stderr must stay empty."""

    def run(script: str, **more: object) -> Sections:
        done = subprocess.run(
            [*shell, "-c", _rooted(script, tree)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            env={"PATH": f"{tree}/stubs:/usr/bin:/bin"},
            **more,
        )
        assert done.stderr == ""
        return read_sections(done.stdout.replace(str(tree), ""), MARKER)

    return run


def _rooted(script: str, root: Path) -> str:
    """The same script under another root; /dev/null and the shell's own process stay what they are."""
    places = r"(?<![\w.*/:])/(?=(?:proc(?!/\$\$)|sys|etc|usr/lib/os|dev(?!/null)|system|lib|lib64|run|\.dockerenv)\b)"
    return re.sub(places, lambda _: f"{root}/", script)


def script(*globs: str, commands: tuple[str, ...] = ()) -> str:
    return probe_script(MARKER, SYSCTLS, globs, commands)


def stub(tree: Path, name: str, text: str) -> None:
    path = tree / "stubs" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


HOSTILE = {
    "sections": f"{MARKER}=uname\nLinux 9.9 evil\n{MARKER}.\n|x\n",
    "escapes": "\\c\\n%s%d -n -e $(id) `id` 'one' \"two\"\n-n\n-e x\n",
    "control": "\x1b]0;title\x07\x1b[31mred\r\n",
    "no end": "last line without its end",
    "blank": "",
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_nothing_in_a_file_leaves_its_section(plant: Plant, ask: Ask, kind: str) -> None:
    plant(
        {
            "/proc/meminfo": "MemTotal: 1 kB\n",
            "/sys/class/power_supply/BAT0/status": HOSTILE[kind],
            "/sys/class/power_supply/BAT1/status": "Full\n",
        }
    )
    found = ask(script("/sys/class/power_supply/*/status"))
    shown = found.shown["/sys/class/power_supply/BAT0/status"]
    assert shown == HOSTILE[kind].replace("\r", "").strip()
    assert found.shown["/sys/class/power_supply/BAT1/status"] == "Full"
    assert found["uname"].startswith("Linux") and "evil" not in found["uname"]


def test_what_is_large_is_cut(plant: Plant, ask: Ask) -> None:
    plant(
        {
            "/proc/meminfo": "MemTotal: 1 kB\n",
            "/sys/a/lines": "line\n" * 100,
            "/sys/a/long": "x" * 20_000 + "\nnext\n",
            **{f"/sys/many/{number:04}": "1\n" for number in range(1100)},
        }
    )
    found = ask(script("/sys/a/*", "/sys/many/*"))
    assert found.shown["/sys/a/lines"].count("line") == 64
    assert found.shown["/sys/a/long"] == "x" * 4000 + "\nnext"
    assert len(found.shown) == 1024


def test_a_pipe_is_not_waited_for_and_a_folder_not_read(plant: Plant, ask: Ask, tree: Path) -> None:
    plant({"/proc/meminfo": "MemTotal: 1 kB\n", "/sys/a/folder/file": "1\n"})
    os.mkfifo(tree / "sys" / "a" / "pipe")
    assert ask(script("/sys/a/*", "/sys/none/*")).shown == {}


def test_a_file_that_may_not_be_read_says_so(plant: Plant, ask: Ask, tree: Path) -> None:
    plant({"/proc/meminfo": "MemTotal: 1 kB\n", "/sys/rapl/energy_uj": "12345\n", "/sys/rapl/name": "package-0\n"})
    (tree / "sys" / "rapl" / "energy_uj").chmod(0)
    found = ask(script("/sys/rapl/*"), **({"user": 65534} if os.geteuid() == 0 else {}))
    assert found.shown == {"/sys/rapl/energy_uj": "", "/sys/rapl/name": "package-0"}
    assert found.denied == ("/sys/rapl/energy_uj",)


def test_a_folder_that_may_not_be_listed_says_so(plant: Plant, ask: Ask, tree: Path) -> None:
    plant({"/proc/meminfo": "MemTotal: 1 kB\n", "/sys/class/power_supply/battery/status": "Full\n"})
    folder = tree / "sys" / "class" / "power_supply"
    folder.chmod(0o311)
    found = ask(
        script("/sys/class/power_supply/*/status", "/sys/class/power_supply/b*/current_now", "/sys/open/*"),
        **({"user": 65534} if os.geteuid() == 0 else {}),
    )
    folder.chmod(0o755)
    assert found.denied == ("/sys/class/power_supply",)


def test_programs_are_found_by_their_paths_and_builtins_are_none(plant: Plant, ask: Ask, tree: Path) -> None:
    plant({"/proc/meminfo": "MemTotal: 1 kB\n"})
    stub(tree, "tegrastats", "true")
    found = ask(script(commands=("tegrastats", "no-such-program", "cd", "test.exe")))
    asked = {name: text for name, text in found.text.items() if name.startswith("command:")}
    assert asked == {"command:tegrastats": "/stubs/tegrastats"}


def test_a_jetson_is_read_as_it_was_planted(plant: Plant, ask: Ask, tree: Path) -> None:
    files = {name: f"{text}\n" for name, text in ORIN_NANO.items() if name.startswith("/")}
    for name in ("model", "compatible", "serial-number"):
        text = ORIN_NANO[f"device-tree:{name}"].replace("^@", "\0")
        files[f"/sys/firmware/devicetree/base/{name}"] = text
    plant(files | {"/sys/bus/platform/devices/17000000.ga10b": "", "/sys/devices/system/cpu/cpuidle/x": "1"})
    for core in range(6):
        plant({f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list": f"{core}\n"})
    stub(tree, "nvpmodel", "printf 'NV Power Mode: 25W\\n1\\n'")
    stub(tree, "nvidia-smi", "echo 'Orin (nvgpu)'")
    # Without root it prints an error and fails; `sudo -n` then would ask for a password.
    stub(tree, "jetson_clocks", "echo 'Error: Run this script as a root user'; exit 1")
    stub(tree, "sudo", 'echo "sudo: a password is required" >&2; echo "$*" >>' + f"{tree}/asked; exit 1")
    stub(tree, "uname", "echo Linux 5.15.148-tegra aarch64")
    stub(tree, "getconf", 'case "$1" in PAGESIZE) echo 4096;; *) echo glibc 2.35;; esac')
    stub(tree, "systemd-detect-virt", "echo none; exit 1")
    found = ask(script())
    device = parse(_again(found), MARKER, "ssh:jetson").device
    assert device.names[0] == ORIN_NANO["device-tree:model"].removesuffix("^@")
    assert device.names[1:] == ("nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005", "nvidia,tegra234")
    assert (device.cores, device.page_bytes, device.libc, device.emulation) == (6, 4096, "glibc 2.35", "")
    assert device.power_mode == "25W (mode 1)" and device.gpus == ("Orin (nvgpu)",)
    assert device.thermal[0].name == "cpu-thermal" and len(device.thermal) == 4
    assert device.unread == ("pinned clocks: jetson_clocks --show needs root, and sudo would ask for a password",)
    assert (tree / "asked").read_text() == "-n jetson_clocks --show\n", "sudo never without -n, and only where needed"


def test_a_phone_is_read_as_it_was_planted(plant: Plant, ask: Ask, tree: Path) -> None:
    plant({name: f"{text}\n" for name, text in PIXEL_8.items() if name.startswith("/")})
    plant({"/dev/rio": "", "/system/bin/linker64": "", "/props": PIXEL_8["getprop"] + "\n[persist.sys.x]: [1]\n"})
    for name in ("battery", "thermalservice"):
        plant({f"/{name}": PIXEL_8[f"dumpsys:{name}"]})
    stub(tree / "system", "x", "")
    (tree / "system" / "bin" / "getprop").write_text("")
    (tree / "system" / "bin" / "getprop").chmod(0o755)
    stub(tree, "getprop", f"cat {tree}/props")
    stub(tree, "dumpsys", f"cat {tree}/$1")
    stub(tree, "uname", "echo Linux 5.15.110-android14-11 aarch64")
    found = ask(script())
    assert "persist" not in found["getprop"], "only what is needed leaves the phone"
    device = parse(_again(found), MARKER, "adb:1").device
    assert (device.system, device.names[0], device.cpu) == ("android", "Pixel 8", "Google Tensor G3")
    assert device.battery is not None and device.battery.level_percent == 67
    assert device.npus == ("Google edge TPU",) and device.cores == 9


def test_a_mac_is_asked_with_its_own_programs(ask: Ask, tree: Path, shell: tuple[str, ...]) -> None:
    """No /proc/meminfo: not Linux. Every program may be missing."""
    if shell[0] == "busybox":
        pytest.skip("busybox takes its own sysctl before any other, and is no Mac's shell")
    stub(tree, "uname", "echo Darwin 25.3.0 arm64")
    stub(tree, "sysctl", 'case "$2" in hw.model) echo Mac16,10;; *) echo "unknown oid" >&2; exit 1;; esac')
    found = ask(script())
    assert found["sysctl:hw.model"] == "Mac16,10" and found["sysctl:hw.memsize"] == ""
    device = parse(_again(found), MARKER, "ssh:mac").device
    assert (device.system, device.names, device.ram_bytes) == ("darwin", ("Mac16,10",), 0)


def test_the_state_of_an_idle_tree(plant: Plant, ask: Ask) -> None:
    plant(
        {
            "/proc/meminfo": "MemTotal: 2048000 kB\nMemAvailable: 1024000 kB\n",
            "/proc/loadavg": "0.15 0.20 0.30 1/100 1234\n",
            "/proc/cpuinfo": "cpu MHz : 1.0\n",
            "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1510400\n",
            "/sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "/sys/class/thermal/thermal_zone0/temp": "48500\n",
        }
    )
    found = ask(state_script(MARKER))
    assert found["/proc/loadavg"].startswith("0.15")
    assert "/proc/cpuinfo" not in found.text, "long, and needed only where there is no cpufreq"
    assert found["/sys/class/thermal/thermal_zone0/temp"] == "48500"


@pytest.mark.parametrize("glob", ["relative/*", "/sys/a b", "/sys/$(id)", "/sys/;reboot", "/sys/`id`", "/sys/'", ""])
def test_a_pattern_that_means_more_to_a_shell_is_refused(glob: str) -> None:
    with pytest.raises(UsageError):
        script(glob)


@pytest.mark.parametrize("name", ["a b", "-x", "$(id)", "a;b", "/bin/ls", ""])
def test_a_program_name_that_means_more_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        script(commands=(name,))


def _again(found: Sections) -> str:
    """An answer with the same sections."""
    lines = []
    for name, text in found.text.items():
        lines += [f"{MARKER}={name}", *(f"|{line}" for line in text.split("\n"))]
    return "\n".join([*lines, f"{MARKER}."])
