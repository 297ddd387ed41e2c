"""The header of a GGUF file: typed keys and tensor places. Source: the GGUF specification (ggml/docs/gguf.md).

gguf-py's reader makes a numpy view per string and takes seconds for a large vocabulary; this one takes tenths.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from edgeshrink.core.gguf_metadata import KeyValue, Scalar, ValueType
from edgeshrink.core.model import SourceTensor
from edgeshrink.core.quant_types import QUANT_TYPES, QuantType
from edgeshrink.errors import DataError, UnsupportedModel

MAGIC: Final = b"GGUF"
_NAMES: Final[tuple[ValueType | None, ...]] = (
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "bool", "string", None,
    "uint64", "int64", "float64",
)  # fmt: skip
_FORMATS: Final[dict[ValueType, str]] = {
    "uint8": "B", "int8": "b", "uint16": "H", "int16": "h", "uint32": "I", "int32": "i", "float32": "f", "bool": "?",
    "uint64": "Q", "int64": "q", "float64": "d",
}  # fmt: skip
_ARRAY = 9
_MOST_ENTRIES = 1 << 24  # more keys, tensors or elements than any file has: the count is damaged
_LONGEST_STRING = 1 << 28


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """`version`, the keys in file order, and the tensors with absolute offsets; dtypes are GGML's names.

    The infos of the tensors begin `keys_end` bytes from the start of the file.
    """

    version: int
    metadata: tuple[KeyValue, ...]
    tensors: tuple[SourceTensor, ...]
    keys_end: int

    def value(self, key: str) -> Scalar | tuple[Scalar, ...] | None:
        """The value of `key`, None where it is absent."""
        return next((entry.value for entry in self.metadata if entry.key == key), None)


def read_gguf_header(path: Path) -> GgufHeader:
    """The header of `path`. DataError where it is no GGUF, is damaged or is cut short; quantized types are read too."""
    try:
        with path.open("rb") as stream:
            return read_gguf_stream(path, stream, path.stat().st_size)
    except OSError as problem:
        raise DataError(f"{path} cannot be read: {problem.strerror or problem}") from problem


def read_gguf_stream(path: Path, stream: BinaryIO, size: int) -> GgufHeader:
    """The same of a GGUF of `size` bytes that `stream` starts with; offsets count from there. `path` is for errors."""
    try:
        return _Reader(path, stream, size).header()
    except (struct.error, OverflowError, UnicodeDecodeError) as problem:
        raise DataError(
            f"{path} is cut short or damaged inside its header", hint="fetch or convert the file again"
        ) from problem


class _Reader:
    """One pass over a header."""

    def __init__(self, path: Path, stream: BinaryIO, size: int) -> None:
        self.path = path
        self.stream = stream
        self.size = size

    def header(self) -> GgufHeader:
        if self.stream.read(4) != MAGIC:
            raise DataError(f"{self.path} is not a GGUF file (it does not start with GGUF)")
        version = self.number("uint32")
        if version not in (2, 3):
            raise DataError(f"{self.path} is GGUF version {version}; versions 2 and 3 are read (little-endian)")
        n_tensors, n_keys = self.count("tensors"), self.count("keys")
        metadata = tuple(self.key_value() for _ in range(n_keys))
        keys_end = self.stream.tell()
        infos = [self.tensor_info() for _ in range(n_tensors)]
        alignment = next((entry.value for entry in metadata if entry.key == "general.alignment"), 32)
        if not isinstance(alignment, int) or alignment <= 0:
            raise DataError(f"{self.path}: general.alignment is {alignment!r}, expected a whole number above zero")
        start = math.ceil(self.stream.tell() / alignment) * alignment
        return GgufHeader(version, metadata, self.placed(infos, start), keys_end)

    def placed(self, infos: list[tuple[str, tuple[int, ...], int, int]], start: int) -> tuple[SourceTensor, ...]:
        by_id = {entry.ggml_id: entry for entry in QUANT_TYPES.values()}
        tensors = []
        for name, shape, type_id, offset in infos:
            entry = by_id.get(type_id) or self.other_type(name, type_id)
            row = shape[-1] if shape else 1
            nbytes = math.prod(shape) // row * entry.row_bytes(row)
            if start + offset + nbytes > self.size:
                raise DataError(
                    f"{self.path} is cut short: {self.size:,} bytes, tensor {name} ends at {start + offset + nbytes:,}",
                    hint="fetch the file again",
                )
            tensors.append(SourceTensor(name, shape, entry.name, self.path, start + offset, nbytes))
        return tuple(tensors)

    def other_type(self, name: str, type_id: int) -> QuantType:
        """A type that edgeshrink does not write: enough of it to say where its tensors are."""
        from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

        try:
            kind = GGMLQuantizationType(type_id)
        except ValueError as problem:
            raise UnsupportedModel(f"{self.path}: tensor {name} has the unknown GGML type {type_id}") from problem
        elements, nbytes = GGML_QUANT_SIZES[kind]
        return QuantType(kind.name, elements, nbytes, ggml_id=type_id)

    def key_value(self) -> KeyValue:
        key = self.text().decode("utf-8")
        kind = self.number("uint32")
        if kind != _ARRAY:
            name = self.kind(key, kind)
            return KeyValue(key, name, self.scalar(name))
        name = self.kind(key, self.number("uint32"))
        count = self.count(f"elements of {key}")
        if name == "string":
            return KeyValue(key, name, tuple(self.text() for _ in range(count)))
        packed = struct.Struct(f"<{count}{_FORMATS[name]}")
        return KeyValue(key, name, packed.unpack(self.stream.read(packed.size)))

    def kind(self, key: str, number: int) -> ValueType:
        name = _NAMES[number] if number < len(_NAMES) else None
        if name is None:
            raise DataError(f"{self.path}: key {key} has value type {number}, which edgeshrink does not read")
        return name

    def tensor_info(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self.text().decode("utf-8")
        dimensions = self.number("uint32")
        if not 0 < dimensions <= 4:
            raise DataError(f"{self.path}: tensor {name} has {dimensions} dimensions, expected 1 to 4")
        innermost_first = struct.unpack(f"<{dimensions}Q", self.stream.read(8 * dimensions))
        return name, tuple(reversed(innermost_first)), self.number("uint32"), self.number("uint64")

    def scalar(self, name: ValueType) -> Scalar:
        if name == "string":
            raw = self.text()
            try:
                return raw.decode("utf-8")
            except UnicodeDecodeError:
                return raw
        value: Scalar = struct.unpack(f"<{_FORMATS[name]}", self.stream.read(struct.calcsize(_FORMATS[name])))[0]
        return value

    def number(self, name: ValueType) -> int:
        return int(self.scalar(name))

    def count(self, what: str) -> int:
        number = self.number("uint64")
        if number > _MOST_ENTRIES:
            raise DataError(f"{self.path}: {number} {what} are impossible: the header is damaged")
        return number

    def text(self) -> bytes:
        (length,) = struct.unpack("<Q", self.stream.read(8))
        if length > _LONGEST_STRING:
            raise DataError(f"{self.path}: a string of {length} bytes is impossible: the header is damaged")
        raw = self.stream.read(length)
        if len(raw) != length:
            raise struct.error("string ends early")
        return raw
