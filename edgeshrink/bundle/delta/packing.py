"""zstd frames (RFC 8878), on their own or with bytes that both sides have as a raw dictionary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from edgeshrink.errors import DataError, ToolMissing

_SMALL_BYTES: Final = 1 << 20
_SMALL_LEVEL, _LARGE_LEVEL = 19, 9  # below 9, zstd looks at the end alone of a base of 4 MiB
_LARGEST_WINDOW_LOG: Final = 24  # a piece and its base fit


@dataclass(frozen=True, slots=True)
class Packed:
    """`data` as it goes into the patch."""

    data: bytes
    zstd: bool
    based: bool


def pack(data: bytes, base: bytes) -> Packed:
    """The smallest of the bytes themselves, a frame, and a frame on `base` (b"": none)."""
    found = [Packed(data, False, False), Packed(compressed(data), True, False)]
    if base:
        found.append(Packed(compressed(data, base), True, True))
    return min(found, key=lambda packed: len(packed.data))


def unpack(frame: bytes, nbytes: int, base: bytes = b"") -> bytes:
    """The `nbytes` that a frame holds. DataError where it holds fewer or more, or is damaged."""
    library = _library()
    dictionary = library.ZstdCompressionDict(base, library.DICT_TYPE_RAWCONTENT) if base else None
    reader = library.ZstdDecompressor(dict_data=dictionary, max_window_size=1 << _LARGEST_WINDOW_LOG)
    try:
        with reader.stream_reader(frame, read_across_frames=False) as stream:
            data: bytes = stream.read(nbytes)
            more = stream.read(1)
    except library.ZstdError as error:
        raise DataError(f"the patch is damaged: {error}") from error
    if len(data) != nbytes or more:
        raise DataError(f"the patch is damaged: a frame does not hold the {nbytes} bytes that it should")
    return data


def library_version() -> str:
    """Of zstd: the bytes of a patch depend on it, what it makes does not."""
    return ".".join(str(number) for number in _library().ZSTD_VERSION)


def compressed(data: bytes, base: bytes = b"") -> bytes:
    """A frame that `unpack` reads."""
    library = _library()
    parameters = library.ZstdCompressionParameters.from_level(
        _SMALL_LEVEL if len(data) <= _SMALL_BYTES else _LARGE_LEVEL,
        source_size=len(data),
        dict_size=len(base),
        window_log=min(_LARGEST_WINDOW_LOG, max(10, (len(data) + len(base)).bit_length())),
    )
    dictionary = library.ZstdCompressionDict(base, library.DICT_TYPE_RAWCONTENT) if base else None
    compressor = library.ZstdCompressor(compression_params=parameters, dict_data=dictionary)
    frame: bytes = compressor.compress(data)
    return frame


def _library() -> Any:
    try:
        import zstandard
    except ImportError as problem:
        raise ToolMissing("patches need zstandard", hint="pip install 'edgeshrink[bundle]'") from problem
    return zstandard
