"""The Jetson bundle: the tree, the package's fields, what is refused, and that nothing else shows in its bytes."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from jetson_packages import looks_like_a_runner, package
from sample_cargo import sample_cargo

from edgeshrink.bundle.cargo import Cargo
from edgeshrink.bundle.jetson.bundler import BUNDLER
from edgeshrink.bundle.jetson.program import device_program
from edgeshrink.core.bundle import BundleOptions, LicenceNote
from edgeshrink.core.events import silent
from edgeshrink.errors import DataError, ToolMissing, UsageError

UNITS = tuple(f"edgeshrink-tiny{ending}" for ending in (".service", ".socket", "-check.service", "-check.timer"))
HOST_UNITS = Path("/lib/systemd/system")


def needs(program: str, package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} not installed (Debian: {package})")


def content(folder: Path) -> dict[str, tuple[str, int]]:
    """Digest and mode of every file."""
    return {
        path.relative_to(folder).as_posix(): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mode)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def fields(cargo: Cargo) -> str:
    deb = next(cargo.folder.glob("*.deb"))
    return subprocess.run(["dpkg-deb", "--field", deb], capture_output=True, text=True, check=True).stdout


def test_the_tree_has_what_is_carried_at_its_places(tmp_path: Path) -> None:
    cargo = package(tmp_path / "b", archives=False)
    root = cargo.folder / "root"
    home = root / "opt/edgeshrink/tiny"
    for name in cargo.files:
        assert (home / "bundle" / name).samefile(cargo.folder / name)
    assert (home / "chat/before").read_text() == "<|begin|><|user|>"
    assert {path.name for path in (root / "lib/systemd/system").iterdir()} == set(UNITS)
    programs = {path.name for path in root.rglob("*") if path.is_file() and path.stat().st_mode & 0o111}
    assert programs == {"edgeshrink-runner", "edgeshrink-tiny"}
    assert not list(cargo.folder.glob("*.deb"))
    left = [path for path in root.rglob("*") if path.is_file() and b"%%" in path.read_bytes()]
    assert not left, "a value that was not put in"


def test_every_installed_file_is_in_the_list_of_digests(tmp_path: Path) -> None:
    home = package(tmp_path / "b", archives=False).folder / "root/opt/edgeshrink/tiny"
    listed = dict(reversed(line.split("  ")) for line in (home / "SHA256SUMS").read_text().splitlines())
    found = {name: digest for name, (digest, _) in content(home).items() if name != "SHA256SUMS"}
    assert listed == found


@needs("dpkg-deb", "dpkg")
def test_the_fields_of_the_package(tmp_path: Path) -> None:
    cargo = package(tmp_path / "b")
    found = dict(line.split(": ", 1) for line in fields(cargo).splitlines() if line[0] != " ")
    installed = int(found.pop("Installed-Size"))
    assert 6 < installed < 200
    assert found == {
        "Package": "edgeshrink-tiny",
        "Version": "1.0.0",
        "Architecture": "arm64",
        "Maintainer": "edgeshrink bundle <edgeshrink@bundle.invalid>",
        "Section": "misc",
        "Priority": "optional",
        "Description": "tiny: a language model that answers questions, on this device",
    }
    assert (cargo.folder / "edgeshrink-tiny_1.0.0_arm64.deb").is_file()
    assert BUNDLER.copies(cargo.manifest, BundleOptions("jetson", "tiny")) == 1
    assert BUNDLER.copies(cargo.manifest, BundleOptions("jetson", "tiny", archives=False)) == 0


@needs("dpkg-deb", "dpkg")
def test_the_package_holds_the_tree_and_its_digests(tmp_path: Path) -> None:
    cargo = package(tmp_path / "b")
    unpacked = tmp_path / "unpacked"
    subprocess.run(["dpkg-deb", "-R", next(cargo.folder.glob("*.deb")), unpacked], check=True)
    control = {name: entry for name, entry in content(unpacked).items() if name.startswith("DEBIAN/")}
    data = {name: entry for name, entry in content(unpacked).items() if name not in control}
    assert data == content(cargo.folder / "root")
    names = ("conffiles", "control", "md5sums", "preinst", "postinst", "prerm", "postrm")
    assert set(control) == {f"DEBIAN/{name}" for name in names}
    assert (unpacked / "DEBIAN/conffiles").read_text() == "/etc/default/edgeshrink-tiny\n"
    assert subprocess.run(["md5sum", "--quiet", "-c", "DEBIAN/md5sums"], cwd=unpacked).returncode == 0


def test_neither_clock_nor_folder_umask_or_time_zone_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = content(package(tmp_path / "b").folder)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    umask = os.umask(0o077)
    try:
        (tmp_path / "elsewhere").mkdir()
        other = content(package(tmp_path / "elsewhere" / "far away").folder)
    finally:
        os.umask(umask)
        monkeypatch.delenv("TZ")
        time.tzset()
    assert one == other


def test_a_runner_is_needed(tmp_path: Path) -> None:
    manifest = sample_cargo(tmp_path / "b", b"GGUF", kind="jetson").manifest
    with pytest.raises(ToolMissing, match="needs a native runner") as refused:
        BUNDLER.check(manifest, BundleOptions("jetson", "tiny"))
    assert "--runner FILE" in refused.value.hint


def test_a_runner_for_this_machine_is_refused(tmp_path: Path) -> None:
    manifest = sample_cargo(tmp_path / "b", b"GGUF", kind="jetson").manifest
    with pytest.raises(UsageError, match="/bin/sh is a program for x86_64; a Jetson runs aarch64"):
        BUNDLER.check(manifest, BundleOptions("jetson", "tiny", runner=Path("/bin/sh")))


def test_a_file_that_is_no_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a program\n" * 10)
    with pytest.raises(UsageError, match="is no ELF file"):
        device_program(tmp_path / "text")


def test_a_runner_of_another_engine_version_is_refused(tmp_path: Path) -> None:
    manifest = sample_cargo(tmp_path / "b", b"GGUF", kind="jetson").manifest
    runner = looks_like_a_runner(tmp_path / "runner", "0.3.35")
    with pytest.raises(UsageError, match=r"is no runner of llama\.cpp 0\.3\.36"):
        BUNDLER.check(manifest, BundleOptions("jetson", "tiny", runner=runner))


@needs("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")
@pytest.mark.parametrize(
    ("library", "depends", "cuda"),
    [("libstdc++.so.6", ("libc6 (>= 2.31)", "libstdc++6"), False), ("libcudart.so.12", ("libc6 (>= 2.31)",), True)],
)
def test_what_a_linked_runner_depends_on(tmp_path: Path, library: str, depends: tuple[str, ...], cuda: bool) -> None:
    program = device_program(_linked(tmp_path, library))
    assert (program.depends, program.cuda) == (depends, cuda)


@needs("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")
def test_a_runner_that_needs_a_library_of_its_own_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"needs libllama\.so, which is not in the bundle"):
        device_program(_linked(tmp_path, "libllama.so"))


def _linked(folder: Path, library: str) -> Path:
    """An arm64 program that asks for libc and for `library`, which does nothing."""
    compiler = ["aarch64-linux-gnu-gcc", "-x", "c", "-"]
    shared = [*compiler, "-shared", f"-Wl,-soname,{library}", "-o", folder / library]
    subprocess.run(shared, input=b"void nothing(void) {}", check=True)
    program = [*compiler, "-Wl,--no-as-needed", "-o", folder / "program", "-x", "none", folder / library]
    subprocess.run(program, input=b"int main(void) { return 0; }", check=True)
    return folder / "program"


def test_an_adapter_and_a_name_that_breaks_lines_are_refused(tmp_path: Path) -> None:
    manifest = sample_cargo(tmp_path / "b", b"GGUF", kind="jetson").manifest
    options = BundleOptions("jetson", "tiny", runner=looks_like_a_runner(tmp_path / "runner"))
    with pytest.raises(UsageError, match="an adapter"):
        BUNDLER.check(replace(manifest, base_sha256="0" * 64), options)
    odd = replace(manifest.files[0], name="model/a\nb")
    with pytest.raises(DataError, match="cannot stand in a list of digests"):
        BUNDLER.check(replace(manifest, files=(*manifest.files, odd)), options)


def test_a_model_that_no_deb_takes_is_refused_unless_no_archive_is_wanted(tmp_path: Path) -> None:
    manifest = sample_cargo(tmp_path / "b", b"GGUF", kind="jetson").manifest
    huge = replace(manifest, files=(replace(manifest.files[0], bytes=10**10),))
    options = BundleOptions("jetson", "tiny", runner=looks_like_a_runner(tmp_path / "runner"))
    with pytest.raises(DataError, match="a \\.deb takes at most 9999999999"):
        BUNDLER.check(huge, options)
    BUNDLER.check(huge, replace(options, archives=False))


def test_odd_texts_of_others_stay_in_their_lines(tmp_path: Path) -> None:
    cargo = sample_cargo(tmp_path / "b", b"GGUF", kind="jetson")
    evil = LicenceNote("model", "a\nFiles: *", "My Licence\n(v2); rm", "unknown", "first\n\nPackage: other\x1b[2J", ())
    source = replace(cargo.manifest.source, given="x\nDepends: evil", hub_id=None)  # type: ignore[type-var]
    cargo = Cargo(cargo.folder, replace(cargo.manifest, licences=(evil,), source=source))
    BUNDLER.write(cargo, BundleOptions("jetson", "tiny", runner=looks_like_a_runner(tmp_path / "runner")), silent)
    assert "\nDepends: evil" not in fields(cargo) and "x Depends: evil" in fields(cargo)
    copyright = (cargo.folder / "root/usr/share/doc/edgeshrink-tiny/copyright").read_text()
    assert copyright.count("\nFiles: *\n") == 1
    assert "\nLicense: My-Licence-v2-rm\n" in copyright
    assert "\nPackage: other" not in copyright and "\x1b" not in copyright


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
