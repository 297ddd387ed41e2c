"""One small network with known numbers, as .onnx and as .pte: two inputs, two outputs, a batch that varies.

"y" = relu(x W + b), "total" = the sum of `extra` (int64) over its rows. Written by the formats' own libraries, not by
edgeshrink.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEATURES, OUT, EXTRA = 5, 3, 4
LONGEST = 64


def weights() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    draw = np.random.default_rng(7)
    return draw.standard_normal((FEATURES, OUT), np.float32), draw.standard_normal(OUT, np.float32)


def inputs(batch: int) -> dict[str, NDArray[Any]]:
    draw = np.random.default_rng(batch)
    return {
        "x": draw.standard_normal((batch, FEATURES), np.float32),
        "extra": draw.integers(-9, 9, (batch, EXTRA), np.int64),
    }


def expected(given: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    matrix, bias = weights()
    return {"y": np.maximum(given["x"] @ matrix + bias, 0), "total": given["extra"].sum(1)}


def write_onnx(path: Path) -> None:
    from onnx import TensorProto, checker, helper, numpy_helper, save

    matrix, bias = weights()
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w", "b"], ["before"]),
            helper.make_node("Relu", ["before"], ["y"]),
            helper.make_node("ReduceSum", ["extra", "axes"], ["total"], keepdims=0),
        ],
        "tiny",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", FEATURES]),
            helper.make_tensor_value_info("extra", TensorProto.INT64, ["batch", EXTRA]),
        ],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", OUT]),
            helper.make_tensor_value_info("total", TensorProto.INT64, ["batch"]),
        ],
        [
            numpy_helper.from_array(matrix, "w"),
            numpy_helper.from_array(bias, "b"),
            numpy_helper.from_array(np.array([1], np.int64), "axes"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    checker.check_model(model)
    save(model, path)


@dataclass(frozen=True)
class Pte:
    """One .pte to write. `delegate`: xnnpack, vulkan, or none; `named`: with the names of inputs and outputs."""

    path: Path
    delegate: str = "xnnpack"
    named: bool = True


def write_pte(path: Path) -> None:
    write_ptes(Pte(path))


def write_ptes(*files: Pte) -> None:
    """In one process of its own: exporting takes most of a gigabyte, and most of its time to begin."""
    wanted = json.dumps([[str(file.path), file.delegate, file.named] for file in files])
    done = subprocess.run([sys.executable, __file__, wanted], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def _export(path: Path, delegate: str, named: bool) -> None:
    import torch
    from executorch.exir import to_edge_transform_and_lower

    matrix, bias = (torch.from_numpy(array) for array in weights())

    class Tiny(torch.nn.Module):
        def forward(self, x: torch.Tensor, extra: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return torch.nn.functional.linear(x, self.w, self.b).relu(), extra.sum(1)

    tiny = Tiny()
    tiny.w, tiny.b = torch.nn.Parameter(matrix.T.contiguous()), torch.nn.Parameter(bias)
    batch = torch.export.Dim("batch", min=1, max=LONGEST)
    example = tuple(torch.from_numpy(array) for array in inputs(2).values())
    program = torch.export.export(tiny.eval(), example, dynamic_shapes=({0: batch}, {0: batch}))
    ports = {
        "inputs": [
            {"name": "x", "dtype": "float32", "shape": ["batch", FEATURES]},
            {"name": "extra", "dtype": "int64", "shape": ["batch", EXTRA]},
        ],
        "outputs": [
            {"name": "y", "dtype": "float32", "shape": ["batch", OUT]},
            {"name": "total", "dtype": "int64", "shape": ["batch"]},
        ],
    }
    constants = {"edgeshrink_ports": json.dumps(ports)} if named else None
    edge = to_edge_transform_and_lower(program, partitioner=_partitioners(delegate), constant_methods=constants)
    path.write_bytes(edge.to_executorch().buffer)


def _partitioners(delegate: str) -> list[Any]:
    if delegate == "xnnpack":
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

        return [XnnpackPartitioner()]
    if delegate == "vulkan":
        from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

        return [VulkanPartitioner()]
    return []


if __name__ == "__main__":
    for path, delegate, named in json.loads(sys.argv[1]):
        _export(Path(path), delegate, named)
