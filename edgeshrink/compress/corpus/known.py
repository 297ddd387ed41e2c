"""Which documents were there already: their digests in a table on disk, so that memory does not grow with the data."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

_CACHE_KIB = 16 << 10


class Known:
    """64 bits of each document's sha256: among a billion documents two that differ are taken for one with p = 0.03."""

    def __init__(self, table: sqlite3.Connection) -> None:
        self._table = table

    def add(self, digest: bytes) -> bool:
        """False: it was there."""
        number = int.from_bytes(digest[:8], "little", signed=True)
        return self._table.execute("INSERT OR IGNORE INTO known VALUES (?)", (number,)).rowcount == 1


@contextlib.contextmanager
def known_documents(file: Path) -> Iterator[Known]:
    """An empty table in the new `file`, which is gone afterwards."""
    with scratch_table(file, "known (number INTEGER PRIMARY KEY)") as table:
        yield Known(table)


@contextlib.contextmanager
def scratch_table(file: Path, columns: str) -> Iterator[sqlite3.Connection]:
    """The table `columns` creates in the new `file`, which is gone afterwards."""
    file.unlink(missing_ok=True)
    table = sqlite3.connect(file, isolation_level=None)
    try:
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
            table.execute(f"PRAGMA {setting}")
        table.execute(f"CREATE TABLE {columns}")
        table.execute("BEGIN")
        yield table
    finally:
        table.close()
        file.unlink(missing_ok=True)
