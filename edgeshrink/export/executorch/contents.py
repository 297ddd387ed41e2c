"""What a `.pte` holds: operators and weight bytes, inside its delegates and outside. Imports executorch, so torch.

The file is a flatbuffer (exir/_serialize/program.fbs) and segments: constants, one blob per delegated piece, and named
data that the blobs refer to by key. It is mapped, so that no second copy of the weights is made.
"""

from __future__ import annotations

import hashlib
import mmap
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from executorch.exir._serialize._flatbuffer_program import _flatbuffer_to_program
from executorch.exir._serialize._program import _get_extended_header
from executorch.exir.scalar_type import ScalarType
from executorch.exir.schema import DataLocation, KernelCall, Program, Tensor

from edgeshrink.errors import DataError
from edgeshrink.export.executorch.blobs import Blob, read_blob

# Arithmetic on lengths and reshaping without a copy, which the runtime does itself: no operators on tensors.
_BOOKKEEPING = "executorch_prim::"
_SMALLEST_DUPLICATE = 4096
_ITEM_BYTES = {
    ScalarType.DOUBLE: 8,
    ScalarType.LONG: 8,
    ScalarType.FLOAT: 4,
    ScalarType.INT: 4,
    ScalarType.HALF: 2,
    ScalarType.BFLOAT16: 2,
    ScalarType.SHORT: 2,
}


@dataclass(slots=True)
class _Delegated:
    """One delegate's part of the file. `operators` is None where a blob does not say."""

    operators: int | None = 0
    pieces: int = 0
    blob_bytes: int = 0
    weight_bytes: int = 0
    keys: set[str] = field(default_factory=set)

    def add(self, blob: Blob, size: int) -> None:
        self.pieces += 1
        self.blob_bytes += size
        self.weight_bytes += blob.weight_bytes
        self.keys.update(blob.keys)
        self.operators = None if self.operators is None or blob.operators is None else self.operators + blob.operators


def read_pte(file: Path) -> dict[str, object]:
    """Counts and bytes as JSON values; DataError where the file is not a `.pte`.

    "kernels": operator -> calls outside every delegate. "delegates": name -> {"operators" (None: its blobs do not
    say), "pieces", "weight_bytes", "blob_bytes"}. "constant_bytes": weights of the program itself. "duplicates":
    [what, bytes lost]. "parts": what the file's bytes are.
    """
    return _opened(file).read()


def piece_digests(file: Path) -> frozenset[bytes]:
    """sha256 of each constant of the program and each piece of its delegates' named data; DataError as `read_pte`."""
    return frozenset(_opened(file).digests())


def _opened(file: Path) -> _Reader:
    with file.open("rb") as opened:
        if file.stat().st_size < 32 or opened.read(6)[4:] != b"ET":
            raise DataError(f"{file} is no ExecuTorch program", hint="a .pte that ExecuTorch wrote is needed")
        # Closed with its last view: an error would keep views alive, and closing would then hide it.
        return _Reader(memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)))


class _Reader:
    def __init__(self, view: memoryview) -> None:
        self._view = view
        header = _get_extended_header(bytes(view[:128]))
        self._program_bytes = header.program_size if header else len(view)
        self._base = header.segment_base_offset if header else len(view)
        self._program: Program = _flatbuffer_to_program(bytes(view[: self._program_bytes]))

    def read(self) -> dict[str, object]:
        program = self._program
        named = {entry.key: entry.segment_index for entry in program.named_data or ()}
        kernels: Counter[str] = Counter()
        delegates: dict[str, _Delegated] = defaultdict(_Delegated)
        for plan in program.execution_plan:
            for chain in plan.chains:
                for instruction in chain.instructions:
                    call = instruction.instr_args
                    if isinstance(call, KernelCall):
                        operator = plan.operators[call.op_index]
                        kernels[".".join(part for part in (operator.name, operator.overload) if part)] += 1
            for delegate in plan.delegates:
                blob = self._blob(delegate.processed)
                delegates[delegate.id].add(read_blob(delegate.id, blob), len(blob))
        for found in delegates.values():
            found.weight_bytes += sum(len(self._segment(named[key])) for key in found.keys if key in named)
        constants = self._constants()
        return {
            "kernels": {name: count for name, count in kernels.most_common() if not name.startswith(_BOOKKEEPING)},
            "delegates": {
                name: {
                    "operators": found.operators,
                    "pieces": found.pieces,
                    "weight_bytes": found.weight_bytes,
                    "blob_bytes": found.blob_bytes,
                }
                for name, found in delegates.items()
            },
            "constant_bytes": sum(len(data) for _, data in constants),
            "duplicates": self._duplicates(constants, named),
            "parts": {
                "program": self._program_bytes,
                "constants": sum(len(data) for _, data in constants),
                "delegate graphs": sum(found.blob_bytes for found in delegates.values()),
                "named data": sum(len(self._segment(index)) for index in set(named.values())),
            },
        }

    def digests(self) -> Iterator[bytes]:
        for _, data in self._constants():
            yield hashlib.sha256(data).digest()
        for index, _ in _firsts({entry.key: entry.segment_index for entry in self._program.named_data or ()}):
            yield hashlib.sha256(self._segment(index)).digest()

    def _segment(self, index: int) -> memoryview:
        segment = self._program.segments[index]
        begin = self._base + segment.offset
        return self._view[begin : begin + segment.size]

    def _blob(self, place: Any) -> memoryview:
        if place.location == DataLocation.SEGMENT:
            return self._segment(place.index)
        return memoryview(bytes(self._program.backend_delegate_data[place.index].data))

    def _constants(self) -> list[tuple[str, memoryview]]:
        """What each constant of the program is, and its bytes."""
        program = self._program
        offsets: Sequence[int] = program.constant_segment.offsets if program.constant_segment else ()
        segment = self._segment(program.constant_segment.segment_index) if offsets else memoryview(b"")
        found: dict[int, tuple[str, memoryview]] = {}
        for tensor in self._tensors():
            index, size = tensor.data_buffer_idx, prod(tensor.sizes) * _ITEM_BYTES.get(tensor.scalar_type, 1)
            if index == 0 or tensor.allocation_info is not None or index in found:
                continue
            what = f"constant {list(tensor.sizes)} {tensor.scalar_type.name.lower()}"
            if index < len(offsets):
                found[index] = (what, segment[offsets[index] : offsets[index] + size])
            elif index < len(program.constant_buffer):
                found[index] = (what, memoryview(bytes(program.constant_buffer[index].storage))[:size])
        return list(found.values())

    def _tensors(self) -> Iterator[Tensor]:
        for plan in self._program.execution_plan:
            for value in plan.values:
                if isinstance(value.val, Tensor):
                    yield value.val

    def _duplicates(self, constants: list[tuple[str, memoryview]], named: dict[str, int]) -> list[list[object]]:
        """Equal bytes at two places of the file: both places in words, and the bytes that one of them costs."""
        places: dict[bytes, list[tuple[str, int]]] = defaultdict(list)
        pieces = [*constants, *((f"delegate data {key[:12]}", self._segment(i)) for i, key in _firsts(named))]
        for what, data in pieces:
            if len(data) >= _SMALLEST_DUPLICATE:
                places[hashlib.sha256(data).digest()].append((what, len(data)))
        return [
            [" = ".join(what for what, _ in same), (len(same) - 1) * same[0][1]]
            for same in places.values()
            if len(same) > 1
        ]


def _firsts(named: dict[str, int]) -> list[tuple[int, str]]:
    """Each segment of named data once: several keys may share one."""
    return sorted({index: key for key, index in named.items()}.items())
