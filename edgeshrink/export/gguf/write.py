"""Writes a GGUF in one pass: header by gguf's own writer, tensors slice by slice, quantized while they are written.

Memory does not depend on the model: `_IN_FLIGHT_BYTES` are shared out among the slices in flight. Slices are read,
converted and quantized by worker threads and written in order by the caller's thread. Source of the format:
ggml/docs/gguf.md, version 3.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from edgeshrink.core.events import Listener, Progress
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.model import SourceTensor
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.quant_types import quant_type
from edgeshrink.errors import NoSpace, StepFailed
from edgeshrink.export.gguf.encode import Workspace, encode_slice, importance_of
from edgeshrink.export.gguf.source import RowSlice, check_source_tensor, matrices, row_slices
from edgeshrink.ggml.library import load
from edgeshrink.planning.gguf_size import alignment, gguf_file_bytes, padded

_IN_FLIGHT_BYTES = 40 << 20
_BYTES_PER_WEIGHT = 10  # of a slice in flight: source 2, float32 4, artifact up to 4
# Weights in a slice. Converting is bound by memory, so a slice should stay in the processor's cache (F16 took 1.5
# times the CPU at 1 << 20); quantizing is not, and pays for each slice's handling instead.
_PLAIN_SLICE, _QUANTIZED_SLICE = 1 << 17, 1 << 19
_PROGRESS_BYTES = 4 << 20


def write_gguf(
    path: Path,
    metadata: tuple[KeyValue, ...],
    tensors: tuple[TensorPlan, ...],
    source: Mapping[str, SourceTensor],
    *,
    importance: Mapping[str, NDArray[Any]] | None,
    threads: int,
    listener: Listener,
    computed: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    """Write the artifact that the plan describes, whole or not at all.

    `source` maps source names to tensors, `computed` maps artifact names to values for tensors without a source,
    `importance` maps artifact names to column weights. `metadata` must hold general.architecture. DataError: the
    source is not what the plan expects. StepFailed: a tensor has values that are not finite, or does not fit its
    type; or the folder cannot be written. NoSpace: the disk is full.
    """
    inputs = {plan.name: _inputs(plan, source, computed or {}) for plan in tensors}
    weights = {plan.name: importance_of(plan, importance) for plan in tensors}
    load()
    needed = gguf_file_bytes(metadata, tensors)
    with whole_file(path, needed) as part:
        _write_header(part, metadata, tensors)
        with part.open("r+b", buffering=0) as file:
            align = alignment(metadata)
            header = file.seek(0, os.SEEK_END)
            done = told = header + _write_all(file, bytes(padded(header, align) - header))
            with contextlib.closing(_encoded(tensors, inputs, weights, max(1, threads))) as slices:
                for plan, data, ends in slices:
                    done += _write_all(file, data)
                    if ends:
                        done += _write_all(file, bytes(padded(plan.nbytes, align) - plan.nbytes))
                    if done - told >= _PROGRESS_BYTES or done == needed:
                        listener(Progress(f"write {path.name}", done, needed, "bytes"))
                        told = done
            if done != needed:
                raise StepFailed(f"{path} came out with {done} bytes where the plan says {needed}")
            os.fsync(file.fileno())


@contextlib.contextmanager
def whole_file(path: Path, needed: int) -> Iterator[Path]:
    """A file of `needed` bytes beside `path`, to be written; it takes its name where nothing was raised meanwhile.

    NoSpace, StepFailed: the disk is full, or the folder cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        _check_room(path, needed)
        yield part
        part.replace(path)
    except OSError as error:
        raise _explained(error, path, needed) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _inputs(
    plan: TensorPlan, source: Mapping[str, SourceTensor], computed: Mapping[str, NDArray[Any]]
) -> tuple[SourceTensor | NDArray[Any], ...]:
    """What the tensor is made of: one, or one an expert."""
    found: list[SourceTensor | NDArray[Any]] = []
    for name in plan.sources:
        tensor = source.get(name)
        if tensor is None:
            raise StepFailed(f"{plan.name}: the source has no tensor {name}")
        check_source_tensor(tensor, plan)
        found.append(tensor)
    if found:
        return tuple(found)
    values = computed.get(plan.name)
    if values is None or tuple(values.shape) != plan.shape:
        raise StepFailed(f"{plan.name}: no values of shape {list(plan.shape)} were computed for it")
    return (values,)


def _write_header(part: Path, metadata: tuple[KeyValue, ...], tensors: tuple[TensorPlan, ...]) -> None:
    import gguf

    architecture = next((str(entry.value) for entry in metadata if entry.key == "general.architecture"), None)
    if architecture is None:
        raise StepFailed("the metadata has no general.architecture")
    writer = gguf.GGUFWriter(part, architecture)
    writer.data_alignment = alignment(metadata)
    writer.kv_data[0].clear()  # it puts the architecture first; the order is the metadata's
    for entry in metadata:
        kind = gguf.GGUFValueType[entry.type.upper()]
        if isinstance(entry.value, tuple):
            writer.add_key_value(entry.key, entry.value, gguf.GGUFValueType.ARRAY, sub_type=kind)
        else:
            writer.add_key_value(entry.key, entry.value, kind)
    for plan in tensors:
        kind = gguf.GGMLQuantizationType(quant_type(plan.type).ggml_id)
        writer.add_tensor_info(plan.name, plan.shape, None, plan.nbytes, raw_dtype=kind)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
    finally:
        writer.close()


def _encoded(
    tensors: tuple[TensorPlan, ...],
    inputs: Mapping[str, tuple[SourceTensor | NDArray[Any], ...]],
    weights: Mapping[str, NDArray[Any] | None],
    threads: int,
) -> Generator[tuple[TensorPlan, memoryview, bool]]:
    """Encoded slices in file order, with whether the slice ends its tensor. Data is good until the next one."""
    slots = threads + 2
    limit = _IN_FLIGHT_BYTES // (_BYTES_PER_WEIGHT * slots)
    free = [Workspace() for _ in range(slots)]
    pending: deque[tuple[TensorPlan, Future[memoryview], bool, Workspace]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="encode")
    try:
        for plan, part, ends in _parts(tensors, limit):
            if not free:
                yield from _first(pending, free)
            space = free.pop()
            made_of, rows, columns = _of_matrix(plan, part, inputs[plan.name], weights[plan.name])
            job = pool.submit(encode_slice, plan, rows, made_of, columns, space)
            pending.append((plan, job, ends, space))
        while pending:
            yield from _first(pending, free)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _of_matrix(
    plan: TensorPlan,
    part: RowSlice,
    inputs: tuple[SourceTensor | NDArray[Any], ...],
    weights: NDArray[Any] | None,
) -> tuple[SourceTensor | NDArray[Any], RowSlice, NDArray[Any] | None]:
    """What a slice is made of, its rows there, and the column weights of its matrix: an expert's, or the only one's."""
    height = plan.elements // part.width // matrices(plan)
    matrix = part.first // height
    columns = None if weights is None else weights[matrix]
    if len(inputs) == 1:
        return inputs[0], part, columns
    return inputs[matrix], replace(part, first=part.first - matrix * height), columns


def _first(
    pending: deque[tuple[TensorPlan, Future[memoryview], bool, Workspace]], free: list[Workspace]
) -> Iterator[tuple[TensorPlan, memoryview, bool]]:
    plan, job, ends, space = pending.popleft()
    yield plan, job.result(), ends
    free.append(space)


def _parts(tensors: tuple[TensorPlan, ...], limit: int) -> Iterator[tuple[TensorPlan, RowSlice, bool]]:
    for plan in tensors:
        done = 0
        best = _QUANTIZED_SLICE if quant_type(plan.type).is_quantized else _PLAIN_SLICE
        for part in row_slices(plan, min(best, limit)):
            done += part.elements
            yield plan, part, done == plan.elements


def _write_all(file: IO[bytes], data: bytes | memoryview) -> int:
    view = memoryview(data)
    while len(view):  # an unbuffered file may take less than it is given
        view = view[file.write(view) :]
    return len(data)


def _check_room(path: Path, needed: int) -> None:
    available = shutil.disk_usage(path.parent).free
    if available < needed:
        raise _full(path, needed, available)


def _explained(error: OSError, path: Path, needed: int) -> NoSpace | StepFailed:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        available = 0
        with contextlib.suppress(OSError):
            available = shutil.disk_usage(path.parent).free
        return _full(path, needed, available)
    reason = error.strerror or str(error)
    return StepFailed(f"{path} cannot be written: {reason}", hint="choose another folder with -o")


def _full(path: Path, needed: int, available: int) -> NoSpace:
    message = f"no room for {path}: it needs {needed:,} bytes, {available:,} are available"
    return NoSpace(message, hint="free some space, or choose another disk with -o")
