"""Folders of the library `datasets`: what it saved, and a snapshot of a repository's Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgeshrink.compress.corpus.sources import find_sources
from edgeshrink.errors import DataError

datasets = pytest.importorskip("datasets")


def _rows(name: str, count: int) -> Any:
    return datasets.Dataset.from_list([{"text": f"{name} {number}", "label": number} for number in range(count)])


def _texts(folder: Path) -> list[str]:
    (source,) = find_sources([folder])
    return [document.text for document in source.documents(1000)]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets.disable_progress_bars()


def test_a_saved_set_is_read_row_by_row(tmp_path: Path) -> None:
    _rows("story", 20).save_to_disk(tmp_path / "saved")
    assert _texts(tmp_path / "saved") == [f"story {number}" for number in range(20)]


def test_splits_to_test_with_are_left_alone(tmp_path: Path) -> None:
    splits = {"train": _rows("train", 5), "test": _rows("test", 5), "validation_sft": _rows("valid", 5)}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "saved")
    assert _texts(tmp_path / "saved") == [f"train {number}" for number in range(5)]
    datasets.DatasetDict({"test": splits["test"]}).save_to_disk(tmp_path / "test")
    with pytest.raises(DataError, match="has no split to train on: test"):
        _texts(tmp_path / "test")


def test_a_snapshot_of_parquet_files_is_streamed_with_the_licence_of_its_card(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for split in ("train", "test"):
        _rows(split, 8).to_parquet(tmp_path / "data" / f"{split}-00000-of-00001.parquet")
    (tmp_path / "README.md").write_text("---\nlicense:\n- cc-by-4.0\n---\n# Stories\n")
    assert _texts(tmp_path) == [f"train {number}" for number in range(8)]
    (source,) = find_sources([tmp_path])
    assert source.license == "cc-by-4.0"
    before = source.sha256()
    (tmp_path / "README.md").write_text("changed")
    assert source.sha256() != before


def test_chats_with_columns_that_some_messages_lack_are_chats(tmp_path: Path) -> None:
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    other = {"function": {"name": "g", "arguments": {"b": 2}}}
    turns = [
        {"role": "user", "content": "Why?", "name": "me"},
        {"role": "assistant", "tool_calls": [call, other]},
        {"role": "assistant", "content": "So."},
    ]
    datasets.Dataset.from_list([{"messages": turns}]).save_to_disk(tmp_path / "saved")
    (source,) = find_sources([tmp_path / "saved"])
    (document,) = source.documents(1000)
    assert list(document.messages) == turns


def test_a_set_without_a_column_that_is_known_is_told(tmp_path: Path) -> None:
    datasets.Dataset.from_list([{"label": 1}]).save_to_disk(tmp_path / "saved")
    with pytest.raises(DataError, match="has no column to learn from: label"):
        _texts(tmp_path / "saved")


def test_what_the_library_cannot_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=tmp_path.name):
        _texts(tmp_path)
