"""What the Android bundle refuses before it writes, and what it writes of which parts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from sample_cargo import LLAMA, sample_cargo

from edgeshrink.bundle.android.bundler import BUNDLER
from edgeshrink.bundle.android.parts import check_names, check_sizes, no_compress
from edgeshrink.bundle.cargo import Cargo
from edgeshrink.core.bundle import BundleManifest, BundleOptions
from edgeshrink.core.events import silent
from edgeshrink.core.manifest import ManifestFile
from edgeshrink.errors import DataError, Error, ToolMissing, UsageError
from edgeshrink.toolchain import javac


@pytest.fixture
def cargo(tmp_path: Path) -> Cargo:
    return sample_cargo(tmp_path / "bundle", b"weights" * 100, kind="android")


def sized(manifest: BundleManifest, nbytes: int) -> BundleManifest:
    return dataclasses.replace(
        manifest, files=(ManifestFile("model/tiny.gguf", "0" * 64, nbytes),), artifact_bytes=nbytes
    )


ALL = ("aar", "module", "ai-pack", "sample")


def test_what_fits_is_not_refused(cargo: Cargo) -> None:
    check_sizes(sized(cargo.manifest, 1_500_000_000), ALL)
    check_sizes(sized(cargo.manifest, 3_900_000_000), ("aar", "module", "sample"))


@pytest.mark.parametrize(
    ("nbytes", "parts", "what", "hint"),
    [
        (1_500_000_001, ALL, "a Play AI pack holds at most 1.5 GB", "--parts aar,module,sample"),
        (1_500_000_001, ("ai-pack",), "a Play AI pack holds at most 1.5 GB", "no way into an app"),
        (4_000_000_001, ALL, "at most 4 GB", "no way into an app"),
        (5 << 30, ("module", "sample"), "an app holds at most 4 GB", "no way into an app"),
    ],
)
def test_too_large_for_a_part_says_which_parts_are_left(
    cargo: Cargo, nbytes: int, parts: tuple[str, ...], what: str, hint: str
) -> None:
    with pytest.raises(DataError) as refused:
        check_sizes(sized(cargo.manifest, nbytes), parts)
    assert what in refused.value.message
    assert hint in refused.value.hint


@pytest.mark.parametrize("name", ["model/.hidden", "model/_x/w.bin", ".x/w", "model/w.bin~", "model/w.gz"])
def test_a_name_that_android_would_leave_out_is_refused(cargo: Cargo, name: str) -> None:
    with pytest.raises(DataError, match=r"leaves out or unpacks"):
        check_names(dataclasses.replace(cargo.manifest, files=(ManifestFile(name, "0" * 64, 1),)))


def test_what_must_be_stored_is_named_by_its_ending(cargo: Cargo) -> None:
    names = ("model/x/m.onnx", "model/x/m.onnx.data", "model/x/vocab", "MODEL_CARD.md")
    files = tuple(ManifestFile(name, "0" * 64, 1) for name in names)
    manifest = dataclasses.replace(cargo.manifest, files=files)
    assert no_compress(manifest) == ("data", "json", "onnx", "vocab")


@pytest.mark.parametrize(
    "options",
    [
        BundleOptions(parts=("apk",)),
        BundleOptions(parts=("sample",)),
        BundleOptions(parts=("sample", "ai-pack")),
        BundleOptions(parts=("aar",), archives=False),
        BundleOptions(application_id="app"),
        BundleOptions(application_id="com.acme.<x/>"),
        BundleOptions(application_id="com..acme"),
    ],
)
def test_options_that_make_no_sense_are_refused(cargo: Cargo, options: BundleOptions) -> None:
    with pytest.raises(UsageError):
        BUNDLER.check(cargo.manifest, options)


def test_without_a_compiler_only_the_aar_is_refused(cargo: Cargo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(javac, "find", lambda: None)
    with pytest.raises(ToolMissing) as refused:
        BUNDLER.check(cargo.manifest, BundleOptions())
    assert "--parts module,ai-pack" in refused.value.hint
    BUNDLER.check(cargo.manifest, BundleOptions(parts=("module", "ai-pack")))
    BUNDLER.check(cargo.manifest, BundleOptions(archives=False))


def test_a_runner_for_another_machine_or_another_format_is_refused(cargo: Cargo, tmp_path: Path) -> None:
    options = BundleOptions(parts=("module",), runner=Path("/bin/sh"))
    with pytest.raises(DataError, match="for 64-bit ARM"):
        BUNDLER.check(cargo.manifest, options)
    engine = dataclasses.replace(LLAMA, runtime="onnx")
    with pytest.raises(DataError, match="opens GGUF"):
        BUNDLER.check(dataclasses.replace(cargo.manifest, engine=engine), options)
    (tmp_path / "text").write_text("#!/bin/sh\n")
    with pytest.raises(Error, match="no ELF file"):
        BUNDLER.check(cargo.manifest, dataclasses.replace(options, runner=tmp_path / "text"))


def test_without_archives_the_sample_takes_the_module(cargo: Cargo) -> None:
    options = BundleOptions(archives=False)
    assert BUNDLER.copies(cargo.manifest, options) == 0
    BUNDLER.write(cargo, options, silent)
    android = cargo.folder / "android"
    assert sorted(path.name for path in android.iterdir()) == ["ai-pack", "module", "sample"]
    assert 'implementation(project(":model"))' in (android / "sample/app/build.gradle.kts").read_text()
    assert 'file("../module")' in (android / "sample/settings.gradle.kts").read_text()
    assert "maven" not in (cargo.folder / "README.md").read_text()


def test_no_second_copy_of_the_model_is_on_the_disk_but_the_aars(cargo: Cargo) -> None:
    BUNDLER.write(cargo, BundleOptions(archives=False), silent)
    inode = (cargo.folder / "model" / "tiny.gguf").stat().st_ino
    laid = list((cargo.folder / "android").rglob("tiny.gguf"))
    assert len(laid) == 2
    assert {path.stat().st_ino for path in laid} == {inode}


def test_play_s_limit_for_a_base_module_is_told(cargo: Cargo) -> None:
    large = Cargo(cargo.folder, dataclasses.replace(cargo.manifest, artifact_bytes=300_000_000))
    (note,) = BUNDLER.write(large, BundleOptions(parts=("module",)), silent)
    assert "200 MB" in note


def test_nothing_is_left_to_fill_in(cargo: Cargo) -> None:
    BUNDLER.write(cargo, BundleOptions(archives=False, application_id="com.acme.app"), silent)
    texts = [
        cargo.folder / "README.md",
        *(p for p in (cargo.folder / "android").rglob("*") if p.suffix in (".kts", ".xml")),
    ]
    assert len(texts) > 6
    assert all("$" not in path.read_text() for path in texts)
    assert 'applicationId = "com.acme.app"' in (cargo.folder / "android/sample/app/build.gradle.kts").read_text()
