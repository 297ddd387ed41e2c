"""An ONNX file as its protobuf, whole: external data resolved, structure checked. Used inside child jobs only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgeshrink.errors import DataError, UnsupportedModel

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

# A protobuf message cannot be larger; what is above keeps its weights in external files, which one .onnx cannot hold.
PROTOBUF_LIMIT_BYTES = (1 << 31) - (1 << 20)
_QUANTIZED = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger"}
    | {"MatMulNBits", "MatMulBnb4", "GatherBlockQuantized", "QGemm", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"}
    | {"DynamicQuantizeLSTM", "QAttention", "QEmbedLayerNormalization"}
)


def read_onnx(path: Path) -> ModelProto:
    """The model in `path` with its external data inside.

    DataError where the file is missing, is no ONNX, or lacks a file that it names; UnsupportedModel above 2 GiB.
    """
    import onnx
    from google.protobuf.message import DecodeError

    if not path.is_file():
        raise DataError(f"{path}: no such file", hint="give a path to an .onnx file")
    if path.stat().st_size > PROTOBUF_LIMIT_BYTES:
        raise _too_large(path)
    try:
        model = onnx.load(str(path), load_external_data=False)
    except DecodeError as error:
        raise DataError(f"{path}: not an ONNX file ({error})", hint="give a file that onnx.save has written") from None
    if not model.HasField("graph") or not model.graph.node or not model.opset_import:
        raise DataError(f"{path}: not an ONNX file (it holds no graph)", hint="give a file that onnx.save has written")
    if sum(_stored_elsewhere(tensor) for graph in graphs(model) for tensor in graph.initializer) > PROTOBUF_LIMIT_BYTES:
        raise _too_large(path)
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise DataError(
            f"{path}: its external data cannot be read: {error}", hint="keep its data files beside it"
        ) from None
    return model


def graphs(model: ModelProto) -> Iterator[GraphProto]:
    """The graph and every graph inside it (branches of If, bodies of Loop and Scan), outer ones first."""
    waiting = [model.graph]
    while waiting:
        graph = waiting.pop(0)
        yield graph
        for node in graph.node:
            waiting.extend(subgraphs(node))


def nodes(model: ModelProto) -> Iterator[NodeProto]:
    """Every operator: of all graphs, and of the model's own functions."""
    for graph in graphs(model):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def subgraphs(node: NodeProto) -> list[GraphProto]:
    """The graphs that a node runs."""
    import onnx

    found = [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]
    lists = [attribute.graphs for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPHS]
    return [*found, *(graph for several in lists for graph in several)]


def free_inputs(graph: GraphProto) -> list[ValueInfoProto]:
    """The inputs that a caller must give: old files list their weights among the inputs."""
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def quantized_operator(model: ModelProto) -> str | None:
    """The first operator that says that the model is quantized already; None where there is none."""
    names = (str(node.op_type) for node in nodes(model))
    return next((name for name in names if name in _QUANTIZED or name.startswith("QLinear")), None)


def opset(model: ModelProto) -> int:
    """Version of the standard operators; 0 where the model uses none."""
    return max((int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)


def _stored_elsewhere(tensor: TensorProto) -> int:
    return next((int(entry.value) for entry in tensor.external_data if entry.key == "length"), 0)


def _too_large(path: Path) -> UnsupportedModel:
    return UnsupportedModel(
        f"{path}: more than 2 GiB of weights, and one .onnx file cannot hold them", hint="use a smaller network"
    )
