"""The child's side of `quantize_onnx` and `onnx_layer_errors`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto

from edgeshrink.catalog.onnx_file import graphs, read_onnx
from edgeshrink.compress.networks.dynamic import dynamic_int8
from edgeshrink.compress.networks.half import half
from edgeshrink.compress.networks.layers import layers
from edgeshrink.compress.networks.prepare import prepared, session
from edgeshrink.compress.networks.probes import sensitivities
from edgeshrink.compress.networks.samples import feeds, relative_error
from edgeshrink.compress.networks.static import outputs, static_int8
from edgeshrink.compress.networks.weights import weights_only
from edgeshrink.errors import DataError, UnsupportedModel
from edgeshrink.runtimes.job_stages import Stages

Emit = Callable[[dict[str, object]], None]
_CHECKED = 4


def quantize(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Write `file`. Parameters: see `quantize_onnx`."""
    float_file, file, scheme = Path(parameters["float_file"]), Path(parameters["file"]), str(parameters["scheme"])
    keep, per_channel = frozenset(parameters["keep"]), bool(parameters["per_channel"])
    samples = None if parameters["samples"] is None else Path(parameters["samples"])
    stages = Stages(emit)
    if scheme == "fp32":
        stages.begin("copy")
        _write(read_onnx(float_file), file)
        return stages.result([])
    stages.begin("fold constants")
    model = prepared(float_file)
    _refuse_unknown(model, keep, float_file)
    given = [] if samples is None else feeds(model, samples)
    plain = model.SerializeToString()
    notes = []
    stages.begin("calibrate and quantize" if scheme == "int8" else "quantize")
    if scheme == "int8":
        model, how = static_int8(
            model,
            given,
            keep=keep,
            per_channel=per_channel,
            symmetric=bool(parameters["symmetric_activations"]),
            done=stages.step,
        )
        notes.append(how)
    elif scheme == "int8-dynamic":
        dynamic_int8(model, keep=keep, per_channel=per_channel)
    elif scheme == "int8-weight":
        weights_only(model, keep=keep, per_channel=per_channel)
    else:
        model = half(model, keep=keep)
    stages.begin("check and write")
    _forget_origins(model)
    _check(model, plain, given[:_CHECKED], scheme)
    _write(model, file)
    return stages.result(notes)


def layer_errors(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Parameters: see `onnx_layer_errors`."""
    float_file = Path(parameters["float_file"])
    model = prepared(float_file)
    found = sensitivities(
        model,
        feeds(model, Path(parameters["samples"])),
        scheme=str(parameters["scheme"]),
        per_channel=bool(parameters["per_channel"]),
        symmetric=bool(parameters["symmetric_activations"]),
        done=lambda done, total: emit({"done": done, "total": total}),
    )
    return {"layers": [[entry.name, entry.operator, entry.error] for entry in found]}


def _refuse_unknown(model: ModelProto, keep: frozenset[str], file: Path) -> None:
    known = {node.name for graph in graphs(model) for node in graph.node}
    unknown = sorted(keep - known)
    if unknown:
        some = ", ".join(layer.name for layer in layers(model)[:6])
        raise DataError(f"{file}: no node is called {unknown[0]}", hint=f"its layers: {some} ...")


def _forget_origins(model: ModelProto) -> None:
    """Drop the exporter's notes on each node: stack traces and paths of the machine that it ran on."""
    del model.metadata_props[:]
    for graph in graphs(model):
        for item in (*graph.node, *graph.value_info, *graph.initializer, graph):
            del item.metadata_props[:]
            item.ClearField("doc_string")


def _check(model: ModelProto, plain: bytes, given: list[Any], scheme: str) -> None:
    """UnsupportedModel unless the quantized model opens, and gives finite outputs where the float one does."""
    data = model.SerializeToString()
    try:
        onnx.checker.check_model(model)
        running = session(data)
    except Exception as error:  # what the checker and onnxruntime raise has no common class
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise UnsupportedModel(
            f"{scheme}: the quantized network is not valid: {words[0][:300]}", hint="try another scheme"
        ) from error
    if not given:
        return
    reference = outputs(plain, given)
    if relative_error(reference, reference) == 0:
        found = [array for feed in given for array in running.run(None, feed)]
        if relative_error(reference, found) == float("inf"):
            raise UnsupportedModel(
                f"{scheme}: the quantized network's outputs are not finite", hint="try another scheme"
            )


def _write(model: ModelProto, file: Path) -> None:
    part = file.with_name(f"{file.name}.part")
    try:
        part.write_bytes(model.SerializeToString())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
