"""The child's side of `write_onnx_network`."""

from __future__ import annotations

import ast
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto

from edgeshrink.catalog.networks import source_from_json
from edgeshrink.catalog.onnx_file import PROTOBUF_LIMIT_BYTES, free_inputs, graphs, opset, read_onnx
from edgeshrink.core.network import NetworkSource
from edgeshrink.errors import ParityError, UnsupportedModel
from edgeshrink.runtimes.job_stages import Stages

_OPSET = 20
_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Gather", "LSTM", "GRU", "RNN")
# Largest difference to the module, relative to its largest output: float32 sums in another order reach 1e-5.
_TOLERANCE = 1e-3
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_PLACE = re.compile(r'The following call raised this error:\s+File "([^"]+)", line (\d+), in \S+\n(.+)')

Emit = Callable[[dict[str, object]], None]


def job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Parameters: see `write_onnx_network`."""
    source, file = source_from_json(parameters["source"]), Path(parameters["file"])
    stages, notes = Stages(emit), list[str]()
    if source.kind == "onnx":
        stages.begin("check the file")
        model = checked_copy(source.path)
        notes.append(f"opset {opset(model)}, checked and copied")
        data = _within_limit(model, source)
    else:
        stages.begin("load the network")
        loaded = _load(source)
        stages.begin("export")
        model = _exported(loaded, parameters.get("log"))
        notes.append(f"opset {opset(model)}")
        data = _within_limit(model, source)
        stages.begin("compare with the module")
        notes.append(_compare(loaded, data))
    stages.begin("write")
    part = file.with_name(f"{file.name}.part")
    try:
        part.write_bytes(data)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return stages.result(notes)


def checked_copy(path: Path) -> ModelProto:
    """The model in `path`, whole and valid, opened once by onnxruntime; shapes inferred where that works."""
    model = read_onnx(path)
    free = list(free_inputs(model.graph))
    if len(free) < len(model.graph.input):
        del model.graph.input[:]
        model.graph.input.extend(free)
        model.ir_version = max(model.ir_version, 4)  # before, weights had to be listed among the inputs
    try:
        onnx.checker.check_model(model)
        _session(model.SerializeToString())
    except Exception as error:  # what the checker and onnxruntime raise has no common class
        raise UnsupportedModel(
            f"{path}: not valid for onnxruntime: {_first_line(error)}",
            hint="export it again, or check it with onnx.checker",
        ) from error
    try:
        return onnx.shape_inference.infer_shapes(model)
    except Exception:  # shapes are a help to readers only
        return model


def _load(source: NetworkSource) -> Any:
    from edgeshrink.runtimes import torch_network

    return torch_network.load(source)


def _exported(loaded: Any, log: str | None) -> ModelProto:
    import torch

    with torch.no_grad():
        try:
            program = torch.onnx.export(
                loaded.module,
                loaded.arguments,
                dynamo=True,
                opset_version=_OPSET,
                input_names=[port.name for port in loaded.ports],
                output_names=[port.name for port in loaded.outputs],
                dynamic_shapes=loaded.dynamic_shapes(),
                verbose=False,
            )
        except Exception as error:  # torch.export raises whatever the module's code meets
            traceback.print_exc()
            raise UnsupportedModel(
                f"{loaded.source.given}: torch.onnx cannot export it: {_reason(error)}",
                hint="control flow that depends on values is the usual reason"
                + ("" if log is None else f"; all that torch said: {log}"),
            ) from error
    model: ModelProto = program.model_proto
    _name_layers(model)
    for graph in graphs(model):
        for item in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer, graph):
            # Stack traces and paths of this machine.
            del item.metadata_props[:]
            item.ClearField("doc_string")
    del model.metadata_props[:]
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise UnsupportedModel(
            f"{loaded.source.given}: the exported model is not valid: {_first_line(error)}"
        ) from error
    return model


def _name_layers(model: ModelProto) -> None:
    """Call each node with weights by the module that it came from."""
    weights = {tensor.name for tensor in model.graph.initializer}
    taken = {node.name for node in model.graph.node}
    for node in model.graph.node:
        if node.op_type not in _WEIGHTED or not weights & set(node.input):
            continue
        wanted = _module_path(node, weights)
        if not wanted:
            continue
        name, count = wanted, 1
        while name in taken:
            count += 1
            name = f"{wanted}_{count}"
        taken.add(name)
        node.name = name


def _module_path(node: NodeProto, weights: set[str]) -> str:
    """ "layer1.0.conv1" from the name of the weights, else from the scopes that the exporter noted."""
    named = next((name for name in node.input if name in weights and name.endswith(".weight")), "")
    path = named.removesuffix(".weight")
    if not path:
        scopes = next((entry.value for entry in node.metadata_props if entry.key == "pkg.torch.onnx.name_scopes"), "[]")
        try:
            parts = ast.literal_eval(scopes)
        except (ValueError, SyntaxError):
            parts = []
        path = str(parts[-2]) if len(parts) > 1 else ""
    return path.removeprefix("module.")


def _compare(loaded: Any, data: bytes) -> str:
    """Run file and module on the example inputs; ParityError where they differ."""
    import torch

    session = _session(data)
    worst = 0.0
    sizes = {name: _size(loaded, name) for name in loaded.limits}
    larger = {name: min(size + 1, loaded.limits[name][1]) for name, size in sizes.items()}
    for chosen in (sizes, larger) if larger != sizes else (sizes,):
        inputs = loaded.sized(chosen)
        with torch.no_grad():
            found = loaded.module(*inputs.values())
        wanted = [found] if isinstance(found, torch.Tensor) else list(found)
        given = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
        for port, one, two in zip(loaded.outputs, wanted, given, strict=True):
            reference = one.numpy().astype(np.float64)
            if reference.shape != two.shape:
                raise ParityError(f"{port.name}: the exported file gives {two.shape}, the module {reference.shape}")
            if not reference.size:
                continue
            scale = max(1.0, float(np.max(np.abs(reference))))
            worst = max(worst, float(np.max(np.abs(reference - two))) / scale)
    if not worst <= _TOLERANCE:
        raise ParityError(
            f"{loaded.source.given}: the exported file differs from the module by {worst:.2g} on the example inputs",
            hint="does the module use random numbers, or state that changes from call to call?",
        )
    return f"largest difference to the module on the example inputs: {worst:.1e}"


def _size(loaded: Any, name: str) -> int:
    return next(
        int(loaded.inputs[port].shape[index])
        for port, dims in loaded.dynamic.items()
        for index, called in dims.items()
        if called == name
    )


def _session(data: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _within_limit(model: ModelProto, source: NetworkSource) -> bytes:
    if model.ByteSize() > PROTOBUF_LIMIT_BYTES:
        raise UnsupportedModel(f"{source.given}: more than 2 GiB of weights, and one .onnx file cannot hold them")
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _reason(error: BaseException) -> str:
    """What torch said first, and which line of the module's code it was about, where it says that.

    The exporter's own words are advice to torch's developers; the reason is what it was raised from.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    text = _COLOURS.sub("", str(error)).strip()
    reason = text.partition("Next steps:")[0].strip().partition("\n")[0].partition("  (")[0].strip()[:300]
    place = _PLACE.search(text)
    where = "" if place is None else f" ({place[1]}, line {place[2]}: {place[3].strip()[:100]})"
    return (reason or type(error).__name__).removesuffix(".") + where


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
