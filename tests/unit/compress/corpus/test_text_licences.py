"""The licence of a text is what stands nearest to it; None where nothing says one."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeshrink.compress.corpus.licences import licence_of

_MIT = "MIT License\n\nCopyright (c) someone\n\nPermission is hereby granted, free of charge, to any person"


def test_nothing_says_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    assert licence_of(tmp_path / "a.txt") is None
    assert licence_of(tmp_path) is None


def test_the_nearest_counts(tmp_path: Path) -> None:
    text, page = tmp_path / "a.txt", tmp_path / "b.md"
    text.write_text("words")
    page.write_text("---\nlicense: cc-by-4.0\n---\nwords")
    (tmp_path / "LICENSE").write_text(_MIT)
    assert licence_of(text) == "MIT"
    (tmp_path / "dataset_info.json").write_text('{"license": "apache-2.0"}')
    assert licence_of(text) == "apache-2.0"
    (tmp_path / "README.md").write_text("---\nlanguage: en\nlicense: odc-by\n---\n# Data")
    assert licence_of(text) == licence_of(tmp_path) == "odc-by"
    (tmp_path / "a.txt.license").write_text("SPDX-FileCopyrightText: x\nSPDX-License-Identifier: CC0-1.0\n")
    assert licence_of(text) == "CC0-1.0"
    assert licence_of(page) == "cc-by-4.0"


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense:\n- cc-by-sa-4.0\n- gfdl\n---\n", "cc-by-sa-4.0, gfdl"),
        ("---\r\nlicense:\r\n  - mit\r\nlanguage: en\r\n---\r\n", "mit"),
        ("# No front matter\nlicense:\n- mit\n", None),
        ("---\nlanguage: en\n---\nlicense:\n- mit\n", None),
    ],
)
def test_a_card_may_name_several(tmp_path: Path, card: str, licence: str | None) -> None:
    (tmp_path / "README.md").write_bytes(card.encode())
    assert licence_of(tmp_path) == licence


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("                 Apache License\n           Version 2.0, January 2004", "Apache-2.0"),
        ("Creative Commons Attribution-NonCommercial 4.0 International", "CC-BY-NC-4.0"),
        ("Attribution-ShareAlike 4.0 International", "CC-BY-SA-4.0"),
        ("\n House rules \x1b[31mof the house\n", "House rules �[31mof the house"),
    ],
)
def test_a_licence_text_is_told_by_its_first_words(tmp_path: Path, text: str, licence: str) -> None:
    (tmp_path / "LICENSE.txt").write_text(text)
    assert licence_of(tmp_path) == licence


def test_what_a_saved_data_set_says_of_itself(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "dataset_info.json").write_text('{"license": "cc-by-4.0"}')
    (tmp_path / "dataset_info.json").write_text("{")
    assert licence_of(tmp_path) == "cc-by-4.0"
