"""Small ONNX networks whose outputs can be computed by hand, and what their tests look up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edgeshrink.catalog.networks import network_source
from edgeshrink.core.network import NetworkSource
from edgeshrink.core.quality import Check, NetworkQuality
from edgeshrink.core.reading import Measured

FLOAT = onnx.TensorProto.FLOAT


def value(name: str, shape: list[Any]) -> Any:
    return onnx.helper.make_tensor_value_info(name, FLOAT, shape)


def write_onnx(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], **weights: Any) -> Path:
    tensors = [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
    graph = onnx.helper.make_graph(nodes, "net", inputs, outputs, tensors)
    opset = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), str(path))
    return path


def linear(path: Path, weight: Any, *, rows: Any = "rows", output: str = "y", then: str = "Identity") -> Path:
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "w"], ["h"]),
        onnx.helper.make_node(then, ["h"], [output]),
    ]
    return write_onnx(path, nodes, [value("x", [rows, 4])], [value(output, [rows, 3])], w=weight)


def source_of(path: Path) -> NetworkSource:
    source = network_source(str(path))
    assert source is not None
    return source


def check(quality: NetworkQuality, name: str) -> Check:
    return next(check for check in quality.checks if check.name == name)


def value_of(reading: Any) -> float:
    assert isinstance(reading, Measured), reading
    return reading.value
