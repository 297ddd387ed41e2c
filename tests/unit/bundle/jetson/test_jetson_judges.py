"""What the device's own programs and Debian's say of a package: shells, lintian, systemd."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from jetson_packages import UNITS, needs, package
from sample_cargo import sample_cargo

from edgeshrink.bundle.cargo import Cargo
from edgeshrink.bundle.jetson.bundler import BUNDLER
from edgeshrink.core.bundle import BundleOptions
from edgeshrink.core.events import silent

HOST_UNITS = Path("/lib/systemd/system")


@pytest.mark.parametrize("shell", [("dash", "-n"), ("busybox", "sh", "-n"), ("bash", "--posix", "-n")])
def test_shells_read_every_script(tmp_path: Path, shell: tuple[str, ...]) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} not installed")
    cargo = package(tmp_path / "b", archives=shutil.which("dpkg-deb") is not None)
    scripts = [cargo.folder / "root/usr/bin/edgeshrink-tiny"]
    if shutil.which("dpkg-deb"):
        subprocess.run(["dpkg-deb", "-e", next(cargo.folder.glob("*.deb")), tmp_path / "control"], check=True)
        scripts += [tmp_path / "control" / name for name in ("preinst", "postinst", "prerm", "postrm")]
    for script in scripts:
        done = subprocess.run([*shell, script], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), script


@needs("lintian", "lintian")
@needs("dpkg-deb", "dpkg")
def test_lintian_finds_no_error(tmp_path: Path) -> None:
    cargo = package(tmp_path / "b")
    command = ["lintian", "--no-cfg", "--allow-root", next(cargo.folder.glob("*.deb"))]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    found = re.findall(r"^([EW]): \S+ (\S+)", done.stdout, re.MULTILINE)
    assert [tag for kind, tag in found if kind == "E"] == [], done.stdout
    # A man page is the one thing that it misses. The program that only looks like a runner is not hardened.
    assert {tag for _, tag in found} <= {"no-manual-page", "hardening-no-pie", "statically-linked-binary"}, done.stdout


@needs("systemd-analyze", "systemd")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """In a tree that has them, the programs that they start, and this machine's own targets."""
    root = _staged(tmp_path)
    done = _verify(root)
    assert (done.returncode, done.stderr) == (0, "")


@needs("systemd-analyze", "systemd")
@pytest.mark.parametrize(
    ("old", "new"), [("ProtectHome=", "ProtectHom="), ("/usr/bin/edgeshrink-tiny serve", "/usr/bin/gone serve")]
)
def test_systemd_would_say_what_is_wrong(tmp_path: Path, old: str, new: str) -> None:
    root = _staged(tmp_path)
    unit = root / "lib/systemd/system" / UNITS[0]
    unit.write_text(unit.read_text().replace(old, new))
    assert _verify(root).stderr != ""


@needs("systemd-analyze", "systemd")
def test_the_service_is_shut_off(tmp_path: Path) -> None:
    unit = package(tmp_path / "b", archives=False).folder / "root/lib/systemd/system" / UNITS[0]
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", unit]
    done = subprocess.run(command, capture_output=True, text=True)
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert exposure is not None, done.stderr
    assert float(exposure[1]) < 2.0, "10 is open, 0 is shut"


def test_the_memory_limit_is_the_budgets(tmp_path: Path) -> None:
    cargo = package(tmp_path / "b", archives=False)
    units = cargo.folder / "root/lib/systemd/system"
    for name in (UNITS[0], UNITS[2]):
        assert f"MemoryMax={1 << 30}\nMemorySwapMax=0\n" in (units / name).read_text()
    free = sample_cargo(tmp_path / "free", b"GGUF", kind="jetson")
    free = Cargo(free.folder, replace(free.manifest, memory_limit_bytes=None))
    BUNDLER.write(free, BundleOptions("jetson", "tiny", runner=tmp_path / "runner", archives=False), silent)
    assert "MemoryMax" not in (free.folder / "root/lib/systemd/system" / UNITS[0]).read_text()


def _staged(tmp_path: Path) -> Path:
    """The package's tree where /lib is a link, as on a device, with the targets that units refer to."""
    if not HOST_UNITS.is_dir():
        pytest.skip("this machine has no units of systemd's own to stage")
    cargo = package(tmp_path / "b", archives=False)
    root = tmp_path / "root"
    shutil.copytree(cargo.folder / "root", root)
    (root / "lib").rename(root / "usr" / "lib")
    (root / "lib").symlink_to("usr/lib")
    for unit in HOST_UNITS.glob("*.target"):
        shutil.copy(unit, root / "lib/systemd/system")
    return root


def _verify(root: Path) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "verify", "--man=no", f"--root={root}", *UNITS]
    return subprocess.run(command, capture_output=True, text=True)
