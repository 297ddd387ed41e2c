"""A bundle takes the place of an older one, and of nothing that a person made."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sample_cargo import sample_cargo

from edgeshrink.bundle.cargo import Cargo
from edgeshrink.bundle.signing.keys import new_keys
from edgeshrink.core.bundle import BundleOptions
from edgeshrink.core.events import Progress, silent
from edgeshrink.engine.adapter import bundle_adapter
from edgeshrink.engine.bundle import bundle
from edgeshrink.engine.bundle_manifest import read_bundle
from edgeshrink.engine.bundle_names import check_name, check_version, slug
from edgeshrink.engine.bundle_place import check_disk, check_place, refuse_loss
from edgeshrink.engine.seal import Seal
from edgeshrink.errors import DataError, NoSpace, UsageError


@pytest.fixture
def cargo(tmp_path: Path) -> Cargo:
    return sample_cargo(tmp_path / "old", b"weights")


def test_a_new_an_empty_and_a_bundles_folder_are_taken(cargo: Cargo, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("old", "empty", "new"):
        check_place(tmp_path / name)


def test_any_other_folder_and_a_file_are_not(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis").touch()
    for name in ("folder", "folder/thesis"):
        with pytest.raises(UsageError, match="is no bundle"):
            check_place(tmp_path / name)


def test_the_same_bundle_in_another_version_replaces_it(cargo: Cargo, tmp_path: Path) -> None:
    (cargo.folder / "tiny-1.0.0.whl").touch()
    new = tmp_path / "new"
    shutil.copytree(cargo.folder, new)
    (new / "tiny-1.0.0.whl").rename(new / "tiny-1.1.0.whl")
    refuse_loss(cargo.folder, new, replace(cargo.manifest, version="1.1.0"))


def test_the_bundle_of_another_build_replaces_it(tmp_path: Path) -> None:
    old = sample_cargo(tmp_path / "one", b"weights")
    (old.folder / "python").mkdir()
    old.lay("model/tiny.gguf", "python/model/tiny.gguf")
    new = sample_cargo(tmp_path / "two", b"others", main="model/tiny-Q8_0.gguf")
    refuse_loss(old.folder, new.folder, new.manifest)


def test_a_version_is_replaced_as_a_word_alone(cargo: Cargo, tmp_path: Path) -> None:
    old = sample_cargo(tmp_path / "one", b"weights")
    path = old.folder / "bundle.json"
    path.write_text(path.read_text().replace('"version": "1.0.0"', '"version": "1"'))
    (old.folder / "tiny-1.aar.sha1").touch()
    new = tmp_path / "two"
    shutil.copytree(old.folder, new)
    (new / "tiny-1.aar.sha1").rename(new / "tiny-2.aar.sha1")
    refuse_loss(old.folder, new, replace(cargo.manifest, version="2"))


def test_a_bundle_is_neither_in_its_build_nor_around_it(tmp_path: Path) -> None:
    build = tmp_path / "bundle" / "build"
    build.mkdir(parents=True)
    (tmp_path / "bundle" / "bundle.json").touch()
    for place, why in ((build / "app", "would not be as it was"), (tmp_path / "bundle", "whose place")):
        with pytest.raises(UsageError, match=why):
            check_place(place, build)


def test_what_a_person_put_beside_a_signature_is_not_lost(cargo: Cargo, tmp_path: Path) -> None:
    new = tmp_path / "new"
    shutil.copytree(cargo.folder, new)
    (cargo.folder / "signature").mkdir()
    for name in ("claims.json", "model.sig"):
        (cargo.folder / "signature" / name).touch()
    refuse_loss(cargo.folder, new, cargo.manifest)
    (cargo.folder / "signature" / "mine.txt").touch()
    with pytest.raises(UsageError, match=r"signature/mine\.txt in it would be lost"):
        refuse_loss(cargo.folder, new, cargo.manifest)


def test_what_a_person_put_into_a_bundle_is_not_lost(cargo: Cargo, tmp_path: Path) -> None:
    new = tmp_path / "new"
    shutil.copytree(cargo.folder, new)
    (cargo.folder / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"notes\.txt in it would be lost"):
        refuse_loss(cargo.folder, new, cargo.manifest)


def test_a_key_that_cannot_sign_is_refused_before_anything_is_read(cargo: Cargo, tmp_path: Path) -> None:
    key = new_keys(tmp_path / "keys", passphrase="secret").private
    for passphrase, why in ((None, "needs its passphrase"), ("wrong", "does not open")):
        with pytest.raises(UsageError, match=why):
            bundle(tmp_path / "no build", tmp_path / "new", BundleOptions(), seal=Seal(key, passphrase))
        with pytest.raises(UsageError, match=why):
            bundle_adapter(
                tmp_path / "none.gguf", cargo.folder, tmp_path / "new", BundleOptions(), seal=Seal(key, passphrase)
            )


def test_the_disk_is_told_before_it_is_too_small(tmp_path: Path) -> None:
    told: list[Progress] = []
    check_disk(tmp_path / "bundle", 5 << 20, told.append)
    assert "5 MiB" in told[0].task
    with pytest.raises(NoSpace, match="takes up to"):
        check_disk(tmp_path / "bundle", 1 << 60, silent)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("edgeshrink-demo", "demo"),
        ("meta-llama/Llama-3.2-1B_Instruct", "llama-3-2-1b-instruct"),
        ("7B", "m-7b"),
        ("---", "model"),
        ("Modèl ü", "model-u"),
        ("模型", "model"),
        ("x" * 200, "x" * 50),
    ],
)
def test_a_name_is_made_of_the_models(given: str, name: str) -> None:
    assert slug(given) == name
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "Demo", "a--b", "-a", "a-", "1a", "a_b", "../a", "a" * 61, "a\n"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="--name"):
        check_name(name)


@pytest.mark.parametrize("version", ["", "1.0.0.0", "v1", "1.0-rc1", "1..0", "1.0\n", "١.٢"])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(UsageError, match="--version"):
        check_version(version)
    assert check_version("1.0") == "1.0"


@pytest.mark.parametrize(
    "main", ["../tiny.gguf", "/etc/passwd", "model/../../tiny.gguf", "model/a\\b", "model/\u202egguf"]
)
def test_a_manifest_whose_model_lies_elsewhere_is_refused(cargo: Cargo, main: str) -> None:
    said = json.loads((cargo.folder / "bundle.json").read_text())
    (cargo.folder / "bundle.json").write_text(json.dumps({**said, "main": main}))
    with pytest.raises(DataError, match="no file inside a bundle"):
        read_bundle(cargo.folder)


def test_a_manifest_is_not_read_without_end(cargo: Cargo) -> None:
    with (cargo.folder / "bundle.json").open("ab") as file:
        file.truncate(1 << 30)
    with pytest.raises(DataError, match="larger than"):
        read_bundle(cargo.folder)
