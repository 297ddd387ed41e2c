"""Small ONNX files made by hand, with weights from a seed: a chain of convolutions, and a block with attention."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgeshrink.catalog.samples import Sample, Samples, save_samples


def _weights(seed: int, **shapes: tuple[int, ...]) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    return {
        name: (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32)
        for name, shape in shapes.items()
    }


def _save(
    file: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    weights: dict[str, NDArray[Any]],
    opset: int,
) -> Path:
    tensors = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(list(nodes), "small", list(inputs), list(outputs), tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
    return file


def write_convolutions(file: Path, *, opset: int = 17, outlier: float = 1.0) -> Path:
    """image (batch, 3, 16, 16) -> scores (batch, 10); `outlier` multiplies one weight of the second convolution."""
    weights = _weights(1, first=(16, 3, 3, 3), second=(32, 16, 3, 3), third=(32, 32, 3, 3), last=(10, 32))
    weights["second"][0, 0, 0, 0] *= outlier
    biases = _weights(2, first_bias=(16,), second_bias=(32,), third_bias=(32,), last_bias=(10,))
    pads = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["image", "first", "first_bias"], ["a"], name="stem", **pads),
        helper.make_node("Relu", ["a"], ["b"], name="relu_a"),
        helper.make_node("Conv", ["b", "second", "second_bias"], ["c"], name="body", strides=[2, 2], **pads),
        helper.make_node("Relu", ["c"], ["d"], name="relu_b"),
        helper.make_node("Conv", ["d", "third", "third_bias"], ["e"], name="tail", **pads),
        helper.make_node("Add", ["e", "d"], ["f"], name="add"),
        helper.make_node("GlobalAveragePool", ["f"], ["g"], name="pool"),
        helper.make_node("Flatten", ["g"], ["h"], name="flatten"),
        helper.make_node("Gemm", ["h", "last", "last_bias"], ["scores"], name="head", transB=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 16, 16])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 10])
    return _save(file, nodes, [image], [scores], {**weights, **biases}, opset)


def write_attention(file: Path) -> Path:
    """ids (1, sequence) -> states (1, sequence, 64): a table, one head of attention, two layers."""
    shapes = {"query": (64, 64), "key": (64, 64), "value": (64, 64), "up": (64, 128), "down": (128, 64)}
    weights: dict[str, NDArray[Any]] = dict(_weights(3, table=(500, 64), **shapes))
    weights |= {"one": np.ones(64, np.float32), "bias": _weights(4, bias=(128, 1))["bias"].ravel()}
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["x"], name="look_up"),
        *(helper.make_node("MatMul", ["x", name], [name[0]], name=name) for name in ("query", "key", "value")),
        helper.make_node("Transpose", ["k"], ["kt"], name="turn", perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "kt"], ["similar"], name="similarity"),
        helper.make_node("Softmax", ["similar"], ["share"], name="softmax", axis=-1),
        helper.make_node("MatMul", ["share", "v"], ["mixed"], name="mix"),
        helper.make_node("Add", ["mixed", "x"], ["added"], name="residual"),
        helper.make_node("LayerNormalization", ["added", "one"], ["normal"], name="norm"),
        helper.make_node("MatMul", ["normal", "up"], ["wide"], name="up"),
        helper.make_node("Add", ["wide", "bias"], ["biased"], name="up_bias"),
        helper.make_node("Relu", ["biased"], ["active"], name="relu"),
        helper.make_node("MatMul", ["active", "down"], ["states"], name="down"),
    ]
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "sequence"])
    states = helper.make_tensor_value_info("states", TensorProto.FLOAT, [1, "sequence", 64])
    return _save(file, nodes, [ids], [states], weights, 17)


def images(count: int, *, seed: int = 5) -> list[dict[str, NDArray[Any]]]:
    rng = np.random.default_rng(seed)
    return [{"image": rng.standard_normal((1, 3, 16, 16)).astype(np.float32)} for _ in range(count)]


def sentences(count: int, *, seed: int = 6) -> list[dict[str, NDArray[Any]]]:
    rng = np.random.default_rng(seed)
    return [{"ids": rng.integers(0, 500, (1, int(length)))} for length in rng.integers(5, 40, count)]


def save(file: Path, feeds: Sequence[dict[str, NDArray[Any]]]) -> Path:
    """`feeds` as a file of samples."""
    save_samples(file, Samples(tuple(Sample(feed) for feed in feeds), "made by a test"))
    return file


def run(file: Path, feeds: Sequence[dict[str, NDArray[Any]]]) -> list[NDArray[Any]]:
    """The first output of each, by onnxruntime without rewriting the graph."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return [session.run(None, feed)[0] for feed in feeds]


def cosine(one: Sequence[NDArray[Any]], two: Sequence[NDArray[Any]]) -> float:
    """Smallest cosine between outputs of the same sample."""
    return min(
        float(np.vdot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))
        for a, b in ((x.astype(np.float64), y.astype(np.float64)) for x, y in zip(one, two, strict=True))
    )
