"""A file of a build, read piece by piece in its order, with its digest at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from edgeshrink.bundle.delta.chunks import by_content, by_size
from edgeshrink.bundle.delta.ranges import Part, Range, parts_of, ranges_of
from edgeshrink.bundle.delta.trees import TreeFile
from edgeshrink.bundle.delta.windows import FileWindow
from edgeshrink.core.events import Listener, Progress
from edgeshrink.core.plain import plain

_TENSOR_CUT_BYTES: Final = 1 << 20
_TOLD_FROM_BYTES: Final = 64 << 20
_READ_BYTES: Final = 4 << 20


class Reading:
    """One pass: every part's ranges, every range's pieces, in order and all of them; then `sha256`."""

    def __init__(self, stream: BinaryIO, file: TreeFile, task: str, listener: Listener) -> None:
        window = FileWindow(stream, 0, file.nbytes)
        self._file, self._task, self._listener = file, plain(task), listener
        self._digest = hashlib.sha256()
        self._done = 0
        self.parts = parts_of(window)
        # What a gzip file holds is read below, not the file: its digest needs a pass of its own.
        self._unpacks = any(part.gzip for part in self.parts)
        if self._unpacks:
            for start in range(0, window.size, _READ_BYTES):
                self._digest.update(window.read_at(start, min(_READ_BYTES, window.size - start)))

    def ranges(self, part: Part) -> Iterator[Range]:
        return ranges_of(part.window, self._file.name)

    def pieces(self, part: Part, found: Range) -> Iterator[tuple[int, bytes]]:
        """(start, bytes) of each piece; the start counts from that of the part's window."""
        if found.tensor:
            cuts = by_size(found.start, found.nbytes, _TENSOR_CUT_BYTES)
        else:
            cuts = by_content(part.window, found.start, found.nbytes)
        for at, nbytes in cuts:
            data = part.window.read_at(at, nbytes)
            if not self._unpacks:
                self._digest.update(data)
            self._done += nbytes
            if self._file.nbytes >= _TOLD_FROM_BYTES:
                self._listener(Progress(self._task, self._done, self._file.nbytes, "bytes"))
            yield at, data

    def sha256(self) -> str:
        return self._digest.hexdigest()
