"""Bytes as they come, made into whole lines of text."""

from __future__ import annotations

from collections.abc import Callable

from edgeshrink.errors import DeviceError

LINE_LIMIT = 8 << 20
"""Bytes of one line: the longest that is expected holds the scores of a whole vocabulary."""


class Lines:
    """A sink that hands on whole lines. `end()` hands on the last one where it has no newline."""

    def __init__(self, on_line: Callable[[str], None], where: str) -> None:
        self._on_line = on_line
        self._where = where
        self._parts: list[bytes] = []
        self._held = 0

    def __call__(self, chunk: bytes) -> None:
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            self._keep(line)
            self.end(always=True)
        self._keep(rest)

    def end(self, *, always: bool = False) -> None:
        line = b"".join(self._parts)
        self._parts.clear()
        self._held = 0
        if line or always:
            self._on_line(line.decode("utf-8", "replace"))

    def _keep(self, part: bytes) -> None:
        self._held += len(part)
        if self._held > LINE_LIMIT:
            raise DeviceError(f"{self._where}: a line of more than {LINE_LIMIT} bytes was sent")
        if part:
            self._parts.append(part)
