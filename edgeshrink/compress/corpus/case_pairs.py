"""Which cases are near misses of each other: their answers in a table on disk, so that memory does not grow with the
data."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from edgeshrink.compress.corpus.cases import Case
from edgeshrink.compress.corpus.documents import Message
from edgeshrink.compress.corpus.known import scratch_table


class Pairs:
    """Names of pairs are those of one source: `source` is its number."""

    def __init__(self, table: sqlite3.Connection) -> None:
        self._table = table

    def add(self, source: int, case: Case) -> None:
        """Nothing where it stands alone, or its pair has one of its side."""
        if case.pair is not None:
            row = (source, case.pair, case.side, json.dumps(case.answer))
            self._table.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?)", row)

    def near_miss(self, source: int, case: Case) -> Message | None:
        """The answer of the case beside it that stands on the other side."""
        found = self._table.execute(
            "SELECT answer FROM answers WHERE source = ? AND pair = ? AND side = ?",
            (source, case.pair, case.other_side),
        ).fetchone()
        return None if found is None else json.loads(found[0])


@contextlib.contextmanager
def open_pairs(file: Path) -> Iterator[Pairs]:
    """An empty table in the new `file`, which is gone afterwards."""
    with scratch_table(file, "answers (source, pair, side, answer, PRIMARY KEY (source, pair, side))") as table:
        yield Pairs(table)
