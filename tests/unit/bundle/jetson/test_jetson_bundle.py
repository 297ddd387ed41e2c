"""The Jetson bundle: the tree, the package's fields, what is refused, and that nothing else shows in its bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from jetson_packages import UNITS, looks_like_a_runner, needs, package
from sample_cargo import sample_cargo

from edgeshrink.bundle.cargo import Cargo
from edgeshrink.bundle.jetson.bundler import BUNDLER
from edgeshrink.bundle.jetson.program import device_program
from edgeshrink.core.bundle import BundleOptions, LicenceNote
from edgeshrink.core.events import silent
from edgeshrink.errors import DataError, ToolMissing, UsageError


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
