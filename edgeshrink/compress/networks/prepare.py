"""An ONNX network made ready to be quantized: refused in words where it cannot be, else folded, typed and named."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto

from edgeshrink.catalog.onnx_file import free_inputs, graphs, opset, quantized_operator, read_onnx
from edgeshrink.compress.networks.layers import layers, name_every_node
from edgeshrink.errors import UnsupportedModel

# The first version with a scale per channel (QuantizeLinear-13), and the one that older files are lifted to.
_LEAST_OPSET, _LIFTED_OPSET = 13, 17
_LEAST_IR = 8


def prepared(file: Path) -> ModelProto:
    """The float32 model in `file` with constants folded, shapes inferred and every node named, ready to be quantized.

    The same file gives the same names. DataError: no ONNX file. UnsupportedModel: quantized already, nothing in it to
    quantize, operators of a version that cannot be lifted, or a model that onnxruntime does not open.
    """
    model = read_onnx(file)
    operator = quantized_operator(model)
    if operator is not None:
        raise UnsupportedModel(
            f"{file}: quantized already (it has {operator})", hint="give the float file that it was made from"
        )
    model = lifted(model, file)
    name_every_node(model)
    model = _folded(model, file)
    name_every_node(model)
    _flatten_biases(model)
    if not layers(model):
        raise UnsupportedModel(
            f"{file}: nothing to quantize: no convolution, matrix product or table with constant float32 weights",
            hint="build it with --scheme fp32",
        )
    return model


def lifted(model: ModelProto, file: Path) -> ModelProto:
    """`model` at a version of the operators that has a scale per channel, its weights no longer among its inputs."""
    if len(free_inputs(model.graph)) < len(model.graph.input):
        free = list(free_inputs(model.graph))
        del model.graph.input[:]
        model.graph.input.extend(free)
    model.ir_version = max(model.ir_version, _LEAST_IR)
    if opset(model) >= _LEAST_OPSET:
        return model
    try:
        return onnx.version_converter.convert_version(model, _LIFTED_OPSET)
    except Exception as error:  # the converter raises what its C++ says
        raise UnsupportedModel(
            f"{file}: operators of version {opset(model)} cannot be brought to {_LIFTED_OPSET}: {_first_line(error)}",
            hint=f"export the model again with opset {_LEAST_OPSET} or newer",
        ) from error


def _folded(model: ModelProto, file: Path) -> ModelProto:
    """onnxruntime's own preparation. Without its symbolic shape inference, which imports torch (250 MB, seconds) and
    fails on some graphs: quantizing needs the types of tensors, and those onnx infers.
    """
    from onnxruntime.quantization.shape_inference import quant_pre_process

    _forget_weight_shapes(model)
    with tempfile.TemporaryDirectory(prefix="edgeshrink-onnx-") as folder:
        given, folded = Path(folder) / "given.onnx", Path(folder) / "folded.onnx"
        onnx.save(model, str(given))
        _open(given, file)
        try:
            quant_pre_process(str(given), str(folded), skip_symbolic_shape=True)
            model = onnx.load(str(folded))
        except onnx.shape_inference.InferenceError:
            pass  # it is quantized as it stands
    _forget_weight_shapes(model)
    _forget_unused_domains(model)
    return model


def _open(given: Path, file: Path) -> None:
    try:
        session(given)
    except Exception as error:  # onnxruntime's errors have no common class of its own
        raise UnsupportedModel(
            f"{file}: onnxruntime does not open it: {_first_line(error)}", hint="check the file with onnx.checker"
        ) from error


def session(model: Path | bytes, *, threads: int = 0, plain: bool = False) -> Any:
    """An onnxruntime session on the CPU; `plain` without rewriting the graph. `threads` 0: as many as there are cores.

    Threads sleep while they wait: on a busy machine a spinning one costs a time slice at every node.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if plain:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _flatten_biases(model: ModelProto) -> None:
    """Make a Gemm's bias of shape (1, n) one of (n,): onnxruntime's quantizer takes no other."""
    biases = {node.input[2] for node in model.graph.node if node.op_type == "Gemm" and len(node.input) > 2}
    shared = {name for node in model.graph.node if node.op_type != "Gemm" for name in node.input}
    for tensor in model.graph.initializer:
        if tensor.name in biases - shared and len(tensor.dims) == 2 and tensor.dims[0] == 1:
            width = tensor.dims[1]
            del tensor.dims[:]
            tensor.dims.append(width)


def _forget_weight_shapes(model: ModelProto) -> None:
    """Drop value_info of weights: what rewrites a weight leaves it behind, and shape inference then contradicts it."""
    for graph in graphs(model):
        weights = {tensor.name for tensor in graph.initializer}
        for index in reversed(range(len(graph.value_info))):
            if graph.value_info[index].name in weights:
                del graph.value_info[index]


def _forget_unused_domains(model: ModelProto) -> None:
    used = {node.domain for graph in graphs(model) for node in graph.node} | {"", "ai.onnx"}
    for index in reversed(range(len(model.opset_import))):
        if model.opset_import[index].domain not in used:
            del model.opset_import[index]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
