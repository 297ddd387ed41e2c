"""The child's side of writing an .onnx_adapter, ONNX Runtime's own format of adapters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from edgeshrink.catalog.adapters import read_adapter
from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.errors import StepFailed
from edgeshrink.export.onnx.adapter import A, B

Emit = Callable[[dict[str, object]], None]
_TYPES = {onnx.TensorProto.FLOAT: np.float32, onnx.TensorProto.FLOAT16: np.float16}
_VERSION = 1


def job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Write `out`. Parameters: `adapter`, its folder; `model`, the graph that will take it; `out`."""
    adapter = read_adapter(Path(parameters["adapter"]))
    graph = Path(parameters["model"])
    types = {
        given.name: given.type.tensor_type.elem_type
        for given in onnx.load(str(graph), load_external_data=False).graph.input
    }
    arrays: dict[str, NDArray[Any]] = {}
    for update in adapter.updates:
        layer = update.weight.removesuffix(".weight")
        halves = ((A, read_rows(update.a)), (B, np.float32(adapter.scale) * read_rows(update.b)))
        for half, values in halves:
            name = layer + half
            if name not in types:
                raise StepFailed(
                    f"{graph} has no place for an update of {layer}, which adapter {adapter.name} has",
                    hint="build the model and its adapters together: build MODEL --adapter A --format onnx",
                )
            arrays[name] = _stored(name, values, _TYPES[types[name]])
    made = onnxruntime.AdapterFormat()
    made.set_adapter_version(_VERSION)
    made.set_model_version(_VERSION)
    made.set_parameters({name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()})
    out = Path(parameters["out"])
    aside = out.with_name(f".{out.name}.part")
    made.export_adapter(str(aside))
    aside.replace(out)
    return {}


def _stored(name: str, values: NDArray[np.float32], type: Any) -> NDArray[Any]:
    """As the graph multiplies with it: turned, contiguous, of its type."""
    with np.errstate(over="ignore"):
        stored = np.ascontiguousarray(values.T.astype(type))
    if not np.isfinite(stored).all():
        raise StepFailed(f"{name} has numbers that are not finite in {np.dtype(type).name}", hint="train it again")
    return stored
