"""The child's side of inspecting: a broken file can end the process. Only a child imports this."""

from __future__ import annotations

import hashlib
import mmap
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from onnx import external_data_helper, numpy_helper

from edgeshrink.catalog.onnx_file import graphs, nodes
from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.runtimes.onnx_providers import execution_providers

_SMALLEST_DUPLICATE = 1024
_ERRORS_ONLY = 3
_CONSTANT = "Constant"


def job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """`file`, `delegate` -> the fields of Delegation, as JSON values."""
    file, delegate = Path(parameters["file"]), str(parameters["delegate"])
    model = _read(file)
    tensors = list(_tensors(model))
    sizes = {id(tensor): _nbytes(tensor) for _, tensor in tensors}
    duplicates = _duplicates(file, tensors, sizes)
    provider = execution_providers(delegate)[0]
    runs_here = provider in onnxruntime.get_available_providers()
    found = _assigned(file, delegate) if runs_here else [("", node.op_type, node.name) for node in nodes(model)]
    operators = [entry for entry in found if entry[1] != _CONSTANT]
    mine = {name for owner, _, name in operators if owner == provider and name}
    everything = all(owner == provider for owner, _, _ in operators)
    delegated = sum(
        sizes[id(tensor)] for readers, tensor in tensors if runs_here and (everything or not mine.isdisjoint(readers))
    )
    left = Counter(kind for owner, kind, _ in operators if runs_here and owner != provider)
    return {
        "operators": len(operators),
        "delegated_operators": sum(owner == provider for owner, _, _ in operators),
        "weight_bytes": sum(sizes.values()),
        "delegated_weight_bytes": delegated,
        "left": sorted(left.items(), key=lambda item: (-item[1], item[0])),
        "duplicates": duplicates,
        "runs_here": runs_here,
    }


def _read(file: Path) -> Any:
    try:
        model = onnx.load(str(file), load_external_data=False)
    except OSError as error:
        raise DataError(f"{file}: {error}") from error
    except Exception as error:  # protobuf's own, and whatever a damaged message leads to
        raise DataError(f"{file} is no ONNX model: {error}", hint="export it again") from error
    if not model.graph.node:
        raise DataError(f"{file} is no ONNX model: it has no operator", hint="export it again")
    return model


def _assigned(file: Path, delegate: str) -> list[tuple[str, str, str]]:
    """(provider, operator, node) of every node, as onnxruntime hands them out. Weights stay where they are."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    options.add_session_config_entry("session.disable_prepacking", "1")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            session = onnxruntime.InferenceSession(str(file), options, providers=execution_providers(delegate))
    except Exception as error:  # the library has an exception class for every status
        raise RuntimeFailed(f"{file}: onnxruntime cannot load it: {error}") from error
    return [
        (str(part.ep_name), str(node.op_type), str(node.name))
        for part in session.get_provider_graph_assignment_info()
        for node in part.get_nodes()
    ]


def _tensors(model: Any) -> Iterator[tuple[frozenset[str], Any]]:
    """Every tensor that the file stores, with the names of the nodes that read it."""
    readers: defaultdict[str, set[str]] = defaultdict(set)
    for node in nodes(model):
        for name in node.input:
            readers[name].add(node.name)
    for graph in graphs(model):
        for tensor in graph.initializer:
            yield frozenset(readers[tensor.name]), tensor
    for node in nodes(model):
        if node.op_type == _CONSTANT:
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.TENSOR:
                    attribute.t.name = attribute.t.name or node.output[0]
                    yield frozenset(readers[node.output[0]]), attribute.t


def _nbytes(tensor: Any) -> int:
    if external_data_helper.uses_external_data(tensor):
        length = external_data_helper.ExternalDataInfo(tensor).length
        if length is not None:
            return int(length)
    return len(tensor.raw_data) if tensor.HasField("raw_data") else int(numpy_helper.to_array(tensor).nbytes)


def _duplicates(file: Path, tensors: list[tuple[frozenset[str], Any]], sizes: dict[int, int]) -> list[list[object]]:
    """Tensors with equal bytes, by their names, and what all but one of them cost."""
    same: defaultdict[tuple[int, bytes], list[str]] = defaultdict(list)
    for _, tensor in tensors:
        size = sizes[id(tensor)]
        if size >= _SMALLEST_DUPLICATE:
            same[size, _digest(file, tensor, size)].append(tensor.name)
    found = [(" = ".join(names), (len(names) - 1) * size) for (size, _), names in same.items() if len(names) > 1]
    return [[names, lost] for names, lost in sorted(found, key=lambda item: -item[1])]


def _digest(file: Path, tensor: Any, size: int) -> bytes:
    if not external_data_helper.uses_external_data(tensor):
        raw = tensor.raw_data if tensor.HasField("raw_data") else numpy_helper.to_array(tensor).tobytes()
        return hashlib.sha256(raw).digest()
    info = external_data_helper.ExternalDataInfo(tensor)
    place, offset = (file.parent / info.location).resolve(), int(info.offset or 0)
    if not place.is_relative_to(file.parent.resolve()) or not place.is_file():
        raise DataError(f"{file}: the data of {tensor.name} is said to be in {info.location!r}, which is not beside it")
    if offset + size > place.stat().st_size:
        raise DataError(f"{place} is too short for {tensor.name}", hint="the copy is not whole")
    with (
        place.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data,
        memoryview(data) as view,
        view[offset : offset + size] as part,
    ):
        return hashlib.sha256(part).digest()
