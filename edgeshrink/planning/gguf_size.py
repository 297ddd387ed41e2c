"""The exact size of a GGUF, from its metadata and tensor plan alone. Source: ggml/docs/gguf.md, version 3."""

from __future__ import annotations

from edgeshrink.core.gguf_metadata import KeyValue, Scalar, ValueType
from edgeshrink.core.plan import TensorPlan

DEFAULT_ALIGNMENT = 32
_MAGIC_VERSION_COUNTS = 4 + 4 + 8 + 8
_COUNT = 8
_KIND = 4
_SCALAR_BYTES: dict[ValueType, int] = {
    "uint8": 1,
    "int8": 1,
    "bool": 1,
    "uint16": 2,
    "int16": 2,
    "uint32": 4,
    "int32": 4,
    "float32": 4,
    "uint64": 8,
    "int64": 8,
    "float64": 8,
}


def gguf_file_bytes(metadata: tuple[KeyValue, ...], tensors: tuple[TensorPlan, ...]) -> int:
    """Bytes of the finished file: header, metadata, tensor infos, and each tensor padded, the last one too."""
    align = alignment(metadata)
    infos = sum(_string_bytes(t.name) + _KIND + _COUNT * len(t.shape) + _KIND + _COUNT for t in tensors)
    header = _MAGIC_VERSION_COUNTS + sum(_entry_bytes(entry) for entry in metadata) + infos
    return padded(header, align) + sum(padded(tensor.nbytes, align) for tensor in tensors)


def padded(nbytes: int, align: int) -> int:
    """`nbytes` rounded up to a multiple of `align`."""
    return -(-nbytes // align) * align


def alignment(metadata: tuple[KeyValue, ...]) -> int:
    """`general.alignment` where the metadata sets it, else GGUF's 32."""
    given = next((entry.value for entry in metadata if entry.key == "general.alignment"), DEFAULT_ALIGNMENT)
    return given if isinstance(given, int) else DEFAULT_ALIGNMENT


def _entry_bytes(entry: KeyValue) -> int:
    key = _string_bytes(entry.key) + _KIND
    if not isinstance(entry.value, tuple):
        return key + _value_bytes(entry.type, entry.value)
    if entry.type == "string":
        return key + _KIND + _COUNT + sum(_value_bytes("string", value) for value in entry.value)
    return key + _KIND + _COUNT + _SCALAR_BYTES[entry.type] * len(entry.value)


def _value_bytes(type: ValueType, value: Scalar) -> int:
    if type != "string":
        return _SCALAR_BYTES[type]
    return _COUNT + len(value) if isinstance(value, bytes) else _string_bytes(str(value))


def _string_bytes(text: str) -> int:
    return _COUNT + len(text.encode())
