"""What a delegate's blob says of itself: how many operators it computes, and where its weights are.

XNNPACK and Vulkan: a header and a flatbuffer (backends/*/serialization/*_graph_serialize.py and schema.fbs); Core ML: a
folder made flat, with the model as protobuf and its weights in a file (operators named const* are its weights).
"""

from __future__ import annotations

import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

import flatbuffers  # type: ignore[import-untyped]
from flatbuffers.table import Table  # type: ignore[import-untyped]

# Slots of the fields that are read: nodes and constants of a graph, the key of a constant.
_XNNPACK, _VULKAN = (1, 8), (1, 5)
_KEY = 2
_WEIGHTS = "weight.bin"


@dataclass(frozen=True, slots=True)
class Blob:
    """`operators` None: not told. `weight_bytes` are those in the blob itself, `keys` name data outside of it."""

    operators: int | None
    weight_bytes: int
    keys: tuple[str, ...] = ()


def read_blob(delegate: str, data: memoryview) -> Blob:
    """The blob of the delegate of that name in the program."""
    if delegate == "XnnpackBackend":
        return _graph(data, *_XNNPACK)
    if delegate == "VulkanBackend":
        return _graph(data, *_VULKAN)
    if delegate == "CoreMLBackend":
        return _coreml(bytes(data))
    return Blob(None, len(data))


def _graph(data: memoryview, nodes: int, constants: int) -> Blob:
    # Both begin with 4 bytes of padding, 4 of magic, uint16 length of the header, uint32 offset and size of the graph,
    # uint32 offset and uint64 size of the constants in the blob.
    offset, size, _, inside = struct.unpack_from("<IIIQ", data, 10)
    graph = _root(bytes(data[offset : offset + size]))
    keys = tuple(key for entry in _tables(graph, constants) if (key := _string(entry, _KEY)))
    return Blob(len(_tables(graph, nodes)), inside, keys)


def _coreml(data: bytes) -> Blob:
    from coremltools.proto.Model_pb2 import Model  # type: ignore[import-untyped]
    from executorch.backends.apple.coreml import executorchcoreml

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not executorchcoreml.unflatten_directory_contents(data, str(folder)):
            return Blob(None, len(data))
        weights = sum(file.stat().st_size for file in folder.rglob(_WEIGHTS))
        operators = 0
        for file in folder.rglob("*.mlmodel"):
            program = Model.FromString(file.read_bytes()).mlProgram
            for function in program.functions.values():
                for block in function.block_specializations.values():
                    operators += sum(not operation.type.startswith("const") for operation in block.operations)
    return Blob(operators, weights)


def _root(data: bytes) -> Table:
    return Table(data, flatbuffers.encode.Get(flatbuffers.packer.uoffset, data, 0))


def _tables(table: Table, slot: int) -> list[Table]:
    """The tables in a vector field."""
    offset = table.Offset(4 + 2 * slot)
    if not offset:
        return []
    begin = table.Vector(offset)
    return [Table(table.Bytes, table.Indirect(begin + 4 * index)) for index in range(table.VectorLen(offset))]


def _string(table: Table, slot: int) -> str:
    offset = table.Offset(4 + 2 * slot)
    return str(table.String(offset + table.Pos), "utf-8") if offset else ""
