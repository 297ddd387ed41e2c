"""The facts of an ONNX file, read from its graph; a child's job: a broken protobuf can end the process."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeshrink.catalog.networks import source_from_json
from edgeshrink.catalog.onnx_file import free_inputs, graphs, nodes, quantized_operator
from edgeshrink.core.network import NetworkFacts, NetworkSource, Port
from edgeshrink.errors import DataError, ToolMissing, UnsupportedModel
from edgeshrink.runtimes.network_facts import facts_to_json

_TYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64"}
_ARRAYS = {"float64", "float32", "float16", "bool", *(f"{u}int{bits}" for u in ("", "u") for bits in (8, 16, 32, 64))}
_CHUNK_BYTES = 4 << 20


def facts_job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """See edgeshrink.runtimes.network_facts."""
    emit({"stage": "reading"})
    return facts_to_json(onnx_facts(source_from_json(parameters["source"])))


def onnx_facts(source: NetworkSource) -> NetworkFacts:
    """The facts of `source.path`. DataError: no valid ONNX file, or its data files are not there.

    UnsupportedModel: it is quantized already, or takes or gives something that is no tensor of numbers with a shape.
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
    _refuse_quantized(file, model)
    data = _data_files(file, model)
    inputs = tuple(_port(file, value, "input") for value in free_inputs(model.graph))
    outputs = tuple(_port(file, value, "output") for value in model.graph.output)
    try:
        onnx.checker.check_model(str(file))
    except Exception as problem:
        raise DataError(f"{file} is not a valid ONNX model: {_line(problem)}", hint="export it again") from problem
    weights = [tensor for graph in graphs(model) for tensor in graph.initializer]
    weights += [
        attribute.t
        for node in nodes(model)
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
    files = (file, *data)
    beside = tuple(
        file.parent / name for name in ("tokenizer.json", "preprocessor_config.json") if (file.parent / name).is_file()
    )
    return NetworkFacts(
        source=source,
        name=file.stem,
        family="onnx",
        inputs=inputs,
        outputs=outputs,
        parameters=sum(counts.values()),
        weight_elements=matrices,
        dtype=_TYPES[counts.most_common(1)[0][0]] if counts else "F32",
        files=(*files, *beside),
        weights_sha256=_digest(files),
    )


def _data_files(file: Path, model: Any) -> tuple[Path, ...]:
    names = {
        entry.value
        for graph in graphs(model)
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


def _refuse_quantized(file: Path, model: Any) -> None:
    found = quantized_operator(model)
    if found is not None:
        raise UnsupportedModel(
            f"{file} is quantized already ({found})",
            hint="start from the float file; `edgeshrink profile` measures this one as it is",
        )


def _port(file: Path, value: Any, role: str) -> Port:
    called = f"{file}: the {role} {value.name}"
    if not value.type.HasField("tensor_type"):
        kind = str(value.type.WhichOneof("value")).removesuffix("_type")
        raise UnsupportedModel(f"{called} is a {kind}, no tensor", hint="export it with tensors alone")
    tensor = value.type.tensor_type
    kind = _type(tensor.elem_type)
    if kind not in _ARRAYS:
        raise UnsupportedModel(
            f"{called} is a tensor of {kind}, and edgeshrink runs networks on numbers",
            hint="leave the part that works on text out of the file: export what comes after it"
            if kind == "string"
            else "export it with float32 there",
        )
    if not tensor.HasField("shape"):
        raise UnsupportedModel(
            f"{called} has no shape, not even a number of dimensions", hint="export it with a shape, dynamic or not"
        )
    shape: list[int | str] = []
    for index, dim in enumerate(tensor.shape.dim):
        shape.append(dim.dim_value if dim.HasField("dim_value") else dim.dim_param or f"{value.name}_{index}")
    return Port(value.name, kind, tuple(shape))


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
