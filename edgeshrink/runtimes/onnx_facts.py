"""The facts of an ONNX file, read from its graph; a child's job: a broken protobuf can end the process."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edgeshrink.catalog.networks import source_from_json
from edgeshrink.core.network import NetworkFacts, NetworkSource, Port
from edgeshrink.errors import DataError, ToolMissing, UnsupportedModel
from edgeshrink.runtimes.network_facts import facts_to_json

_QUANTIZED = {"QuantizeLinear", "DequantizeLinear", "MatMulNBits", "MatMulInteger", "ConvInteger", "QLinearConv"}
_TYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64"}
_CHUNK_BYTES = 4 << 20


def facts_job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """See edgeshrink.runtimes.network_facts."""
    emit({"stage": "reading"})
    return facts_to_json(onnx_facts(source_from_json(parameters["source"])))


def onnx_facts(source: NetworkSource) -> NetworkFacts:
    """The facts of `source.path`. DataError: no valid ONNX file, or its data files are not there.

    UnsupportedModel: it is quantized already, or takes something that is no tensor.
    """
    try:
        import onnx
    except ImportError as problem:
        raise ToolMissing("reading an ONNX file needs onnx", hint="pip install 'edgeshrink[onnx]'") from problem
    file = source.path
    try:
        model = onnx.load(str(file), load_external_data=False)
    except Exception as problem:
        raise DataError(
            f"{file} is not a whole ONNX file: {_line(problem)}", hint="fetch or export the file again"
        ) from problem
    if not model.graph.node:
        raise DataError(f"{file} holds no graph", hint="fetch or export the file again")
    graphs = tuple(_graphs(model.graph))
    _refuse_quantized(file, graphs)
    data = _data_files(file, graphs)
    try:
        onnx.checker.check_model(str(file))
    except Exception as problem:
        raise DataError(f"{file} is not a valid ONNX model: {_line(problem)}", hint="export it again") from problem
    weights = [tensor for graph in graphs for tensor in graph.initializer]
    weights += [
        attribute.t
        for graph in graphs
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    ]
    counts: Counter[str] = Counter()
    matrices = 0
    for tensor in weights:
        kind = _type(tensor.data_type)
        if kind in _TYPES:
            counts[kind] += math.prod(tensor.dims)
            matrices += math.prod(tensor.dims) if len(tensor.dims) >= 2 else 0
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = tuple(_port(file, value) for value in model.graph.input if value.name not in constants)
    files = (file, *data)
    beside = tuple(
        file.parent / name for name in ("tokenizer.json", "preprocessor_config.json") if (file.parent / name).is_file()
    )
    return NetworkFacts(
        source=source,
        name=file.stem,
        family="onnx",
        inputs=inputs,
        outputs=tuple(_port(file, value) for value in model.graph.output),
        parameters=sum(counts.values()),
        weight_elements=matrices,
        dtype=_TYPES[counts.most_common(1)[0][0]] if counts else "F32",
        files=(*files, *beside),
        weights_sha256=_digest(files),
    )


def _graphs(graph: Any) -> Iterator[Any]:
    """The graph and the bodies of its control flow."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)
            for inner in attribute.graphs:
                yield from _graphs(inner)


def _data_files(file: Path, graphs: tuple[Any, ...]) -> tuple[Path, ...]:
    names = {
        entry.value
        for graph in graphs
        for tensor in graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    found = []
    for name in sorted(names):
        path = (file.parent / name).resolve()
        if not path.is_relative_to(file.parent.resolve()):
            raise DataError(f"{file} keeps weights outside its own folder: {name}", hint="put its data file beside it")
        if not path.is_file():
            raise DataError(
                f"{file} keeps its weights in {name}, which is not beside it", hint="fetch that file too, beside it"
            )
        found.append(path)
    return tuple(found)


def _refuse_quantized(file: Path, graphs: tuple[Any, ...]) -> None:
    found = sorted({node.op_type for graph in graphs for node in graph.node} & _QUANTIZED)
    if found:
        raise UnsupportedModel(
            f"{file} is quantized already ({', '.join(found)})",
            hint="start from the float file; `edgeshrink profile` measures this one as it is",
        )


def _port(file: Path, value: Any) -> Port:
    if not value.type.HasField("tensor_type"):
        raise UnsupportedModel(f"{file}: {value.name} is a {value.type.WhichOneof('value')}, no tensor")
    tensor = value.type.tensor_type
    shape: list[int | str] = []
    for index, dim in enumerate(tensor.shape.dim):
        shape.append(dim.dim_value if dim.HasField("dim_value") else dim.dim_param or f"{value.name}_{index}")
    return Port(value.name, _type(tensor.elem_type), tuple(shape))


def _type(number: int) -> str:
    """An ONNX element type as numpy spells it."""
    import onnx

    name: str = onnx.TensorProto.DataType.Name(number).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def _digest(files: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


def _line(problem: BaseException) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0]
