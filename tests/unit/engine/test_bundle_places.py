"""A bundle takes the place of an older one, and of nothing that a person made."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sample_cargo import sample_cargo

from edgeshrink.bundle.cargo import Cargo
from edgeshrink.core.events import Progress, silent
from edgeshrink.engine.bundle_names import check_name, check_version, slug
from edgeshrink.engine.bundle_place import check_disk, check_place, refuse_loss
from edgeshrink.errors import NoSpace, UsageError


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


def test_what_a_person_put_into_a_bundle_is_not_lost(cargo: Cargo, tmp_path: Path) -> None:
    new = tmp_path / "new"
    shutil.copytree(cargo.folder, new)
    (cargo.folder / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"notes\.txt in it would be lost"):
        refuse_loss(cargo.folder, new, cargo.manifest)


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
        ("ÄÖ 模型", "model"),
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


@pytest.mark.parametrize("version", ["", "1.0.0.0", "v1", "1.0-rc1", "1..0", "1.0\n"])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(UsageError, match="--version"):
        check_version(version)
    assert check_version("1.0") == "1.0"
