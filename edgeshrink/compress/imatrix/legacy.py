"""The `.dat` importance matrix of older llama.cpp: little-endian, without a magic number.

int32 entries, then for each: int32 name length, name, int32 calls, int32 values, float32 value * values
(each value is mean square * calls), and after the last, if at all: int32 chunks, int32 length, dataset name
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.importance import Floats, Importance

_LONGEST_NAME = 1024
_MOST_ENTRIES = 1 << 20


@dataclass(slots=True)
class _Cursor:
    data: bytes
    at: int = 0

    def take(self, nbytes: int, what: str) -> bytes:
        if nbytes < 0 or self.at + nbytes > len(self.data):
            raise ValueError(f"cut off at byte {self.at} of {len(self.data)}, in {what}")
        self.at += nbytes
        return self.data[self.at - nbytes : self.at]

    def int32(self, what: str) -> int:
        return int.from_bytes(self.take(4, what), "little", signed=True)


def parse_legacy(data: bytes) -> Importance:
    """The importance matrix in the bytes of a `.dat`; ValueError says what is wrong at which byte."""
    cursor = _Cursor(data)
    entries = cursor.int32("the number of entries")
    if not 0 < entries < _MOST_ENTRIES:
        raise ValueError(f"neither a GGUF nor a .dat: it would hold {entries} entries")
    sums: dict[str, Floats] = {}
    counts: dict[str, NDArray[np.int64]] = {}
    for index in range(entries):
        name, calls, values = _entry(cursor, index)
        if name in sums:
            raise ValueError(f"entry {index + 1} repeats {name}")
        # llama.cpp takes the values as they are where no call was counted.
        sums[name], counts[name] = values[None, :], np.array([max(calls, 1)], dtype=np.int64)
    chunks, datasets = _trailer(cursor)
    return Importance(sums=sums, counts=counts, datasets=datasets, chunk_count=chunks, chunk_size=0)


def _entry(cursor: _Cursor, index: int) -> tuple[str, int, Floats]:
    where = f"entry {index + 1}"
    length = cursor.int32(f"the name length of {where}")
    if not 0 < length <= _LONGEST_NAME:
        raise ValueError(f"{where} has a name of {length} bytes: neither a GGUF nor a .dat")
    try:
        name = cursor.take(length, f"the name of {where}").decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{where} has a name that is not text: neither a GGUF nor a .dat") from None
    calls = cursor.int32(f"the calls of {name}")
    columns = cursor.int32(f"the width of {name}")
    if columns < 1:
        raise ValueError(f"{name} has {columns} values")
    values = np.frombuffer(cursor.take(4 * columns, f"the values of {name}"), dtype="<f4").astype(np.float32)
    return name, calls, values


def _trailer(cursor: _Cursor) -> tuple[int, tuple[str, ...]]:
    if cursor.at == len(cursor.data):
        return 0, ()
    chunks = cursor.int32("the number of chunks")
    if cursor.at == len(cursor.data):
        return chunks, ()
    length = cursor.int32("the length of the dataset name")
    name = cursor.take(length, "the dataset name").decode("utf-8", errors="replace")
    return chunks, (name,) if name else ()
