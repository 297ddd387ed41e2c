"""What a suite asks crosses to the child that reads the data as a file: it may be larger than a job's parameters."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgeshrink.catalog.overlap import Items, Watch
from edgeshrink.catalog.texts import Text
from edgeshrink.compress.corpus.corpus import CORPUS_FILE

_SCRATCH, _FILE = "scratch", "kept_apart.json"


@contextlib.contextmanager
def scratch_of(folder: Path, texts: Sequence[Text], items: Sequence[Items]) -> Iterator[Path]:
    """An empty folder in `folder`, for the child that makes a corpus there; it holds what `watch_of` reads, and is gone
    afterwards. `folder` is no corpus until that child is done."""
    scratch = folder / _SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    (folder / CORPUS_FILE).unlink(missing_ok=True)
    write_kept_apart(scratch, texts, items)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_kept_apart(scratch: Path, texts: Sequence[Text], items: Sequence[Items]) -> None:
    """Into the folder `scratch`, which is there."""
    apart = {
        "texts": [(text.name, text.text) for text in texts],
        "items": [(asked.name, asked.items) for asked in items],
    }
    (scratch / _FILE).write_text(json.dumps(apart), encoding="utf-8")


def watch_of(scratch: Path) -> Watch:
    """Looks for what `write_kept_apart` wrote."""
    data = json.loads((scratch / _FILE).read_text(encoding="utf-8"))
    texts = [Text.of(name, text.encode()) for name, text in data["texts"]]
    return Watch(texts, [Items(name, tuple(items)) for name, items in data["items"]])
