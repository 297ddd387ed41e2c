"""Bytes that exist already, by their place: of the old build, and of the new as far as it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from edgeshrink.bundle.delta.trees import opened
from edgeshrink.bundle.delta.windows import FileWindow, Window, gzip_layer
from edgeshrink.core.delta import Layer, Place, Which
from edgeshrink.errors import DataError

_MOST_OPEN = 32
_READ_BYTES = 4 << 20


class Sources:
    """Reads places. Files stay open as long as they are of use; a `with` block closes them."""

    def __init__(self, locate: Callable[[Which, int], Path], layers: Callable[[int], tuple[Layer, ...]]) -> None:
        self._locate, self._layers = locate, layers
        self._open: dict[tuple[Which, int], BinaryIO] = {}

    def __enter__(self) -> Sources:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in self._open.values():
            with suppress(OSError):
                stream.close()

    def read(self, place: Place) -> bytes:
        """All bytes of `place`. DataError where they are not there."""
        return self._window(place).read_at(place.at, place.nbytes)

    def pieces(self, place: Place) -> Iterator[bytes]:
        """The same, 4 MiB at a time."""
        window = self._window(place)
        for start in range(0, place.nbytes, _READ_BYTES):
            yield window.read_at(place.at + start, min(_READ_BYTES, place.nbytes - start))

    def _window(self, place: Place) -> Window:
        stream = self._stream(place.of, place.file)
        size = stream.seek(0, 2)
        if place.layer is None:
            return FileWindow(stream, 0, size)
        layer = self._layers(place.file)[place.layer]
        held = gzip_layer(FileWindow(stream, layer.start, layer.nbytes))
        if held is None:
            raise DataError(f"no gzip file of {layer.nbytes:,} bytes is made of stored blocks")
        return held

    def _stream(self, of: Which, file: int) -> BinaryIO:
        key = (of, file)
        if key not in self._open:
            if len(self._open) >= _MOST_OPEN:
                self._open.pop(next(iter(self._open))).close()
            self._open[key] = opened(self._locate(of, file))
        return self._open[key]
