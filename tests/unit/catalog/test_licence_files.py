"""Which files beside a model's weights are its licence texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeshrink.catalog.licence_files import MOST_BYTES, MOST_FILES, find_licence_files
from edgeshrink.catalog.models import inspect_model, source_digest_files


def names(folder: Path) -> list[str]:
    return [path.name for path in find_licence_files(folder)]


@pytest.mark.parametrize(
    "name",
    ["LICENSE", "LICENSE.txt", "license.md", "LICENCE", "LICENSE-MODEL", "LICENSE_gemma.md", "NOTICE", "Notice.txt",
     "COPYING", "USE_POLICY.md"],
)  # fmt: skip
def test_texts_as_hubs_name_them_are_found(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("terms", encoding="utf-8")
    assert names(tmp_path) == [name]


@pytest.mark.parametrize(
    "name",
    ["LICENSE.py", "LICENSE-x.pkl", "NOTICE.bin", "LICENSED", "MY_LICENSE", "README.md", "LICENSE.txt.sh",
     "LICENSE-..", "LICENSE\n.txt"],
)  # fmt: skip
def test_nothing_else_is_one(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("terms", encoding="utf-8")
    assert names(tmp_path) == []


def test_a_folder_and_an_empty_file_and_a_huge_one_are_none(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").mkdir()
    (tmp_path / "NOTICE").touch()
    (tmp_path / "COPYING").write_bytes(b"x" * (MOST_BYTES + 1))
    assert names(tmp_path) == []
    (tmp_path / "COPYING").write_bytes(b"x" * MOST_BYTES)
    assert names(tmp_path) == ["COPYING"]


def test_there_are_few_and_none_differ_by_case_alone(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 5):
        (tmp_path / f"LICENSE-{number:02}.txt").write_text("terms", encoding="utf-8")
    assert len(names(tmp_path)) == MOST_FILES
    other = tmp_path / "other"
    other.mkdir()
    for name in ("LICENSE", "License"):
        (other / name).write_text(name, encoding="utf-8")
    assert names(other) == ["LICENSE"]


def test_what_lies_beside_a_lone_file_is_not_its_licence(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").touch()
    (tmp_path / "LICENSE").write_text("of something else", encoding="utf-8")
    assert find_licence_files(tmp_path / "model.gguf") == ()
    assert find_licence_files(tmp_path / "absent") == ()


def test_they_do_not_change_what_the_source_is(stories: Path, tmp_path: Path) -> None:
    before = [file.name for file in source_digest_files(inspect_model(str(stories)))]
    for file in stories.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "LICENSE").write_text("terms", encoding="utf-8")
    assert [file.name for file in source_digest_files(inspect_model(str(tmp_path)))] == before
