"""Folders of the Hugging Face library `datasets`: what `save_to_disk` wrote, and snapshots of a data set's repository.

Both are read row by row (mapped Arrow files, streamed Parquet), nothing is converted or copied, and the hub is not
asked. Imports `datasets`: for jobs only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgeshrink.compress.corpus.documents import KEYS, Document, document_of
from edgeshrink.errors import DataError, ToolMissing

SAVED = ("state.json", "dataset_dict.json")
"""What tells a folder of `save_to_disk`."""
_LEFT_OUT = ("test", "validation", "valid", "dev", "eval")


def dataset_documents(folder: Path) -> Iterator[Document]:
    """The rows of every split but those to test with. DataError where the library cannot read it, or no column is
    known; ToolMissing without the library."""
    with TemporaryDirectory(prefix="edgeshrink-datasets-") as locks:
        for split, rows in sorted(_splits(folder, locks).items()):
            if to_test_with(split):
                continue
            where = f"{folder} ({split})"
            for number, row in enumerate(_known(rows, where), start=1):
                if (document := document_of(_present(row), f"{where}, row {number}")) is not None:
                    yield document


def _splits(folder: Path, locks: str) -> dict[str, Any]:
    datasets = _library()
    try:
        if any((folder / name).is_file() for name in SAVED):
            found = datasets.load_from_disk(str(folder))
        else:
            found = datasets.load_dataset(str(folder), streaming=True, cache_dir=locks)
    except Exception as error:  # the library raises what its many readers raise
        raise DataError(
            f"the library datasets cannot read {folder}: {error}",
            hint="name the files themselves, or the folder of one of its parts",
        ) from error
    splits = dict(found) if isinstance(found, dict) else {"train": found}
    if all(map(to_test_with, splits)):
        raise DataError(
            f"{folder} has no split to train on: {', '.join(sorted(splits))}", hint="name the files to train on"
        )
    return splits


def to_test_with(split: str) -> bool:
    """Whether a split, or a file of one, is there to test with: test_sft, validation-00000-of-00001.parquet."""
    return re.split(r"[-_.]", split.lower())[0] in _LEFT_OUT


def _known(rows: Any, where: str) -> Any:
    """Only the columns that are read: pictures and sound are not even decoded."""
    columns = rows.column_names
    if columns is None:  # a stream that knows its columns only once it has begun
        return rows
    kept = [column for column in columns if column in KEYS]
    if not kept:
        raise DataError(
            f"{where} has no column to learn from: {', '.join(columns)}", hint=f"expected one of {', '.join(KEYS)}"
        )
    return rows.select_columns(kept)


def _present(value: Any) -> Any:
    """Without the nulls that a table holds wherever another row has a key."""
    if isinstance(value, dict):
        return {key: _present(entry) for key, entry in value.items() if entry is not None}
    return [_present(entry) for entry in value] if isinstance(value, list) else value


def _library() -> Any:
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ.setdefault(name, "1")
    try:
        import datasets
    except ImportError as error:
        raise ToolMissing("the package datasets is not installed", hint="pip install 'edgeshrink[data]'") from error
    datasets.disable_progress_bars()
    return datasets
