"""Grids of ONNX Runtime and ExecuTorch: they begin at what the library writes, and spell what the library reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("torchao")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnxruntime.quantization import matmul_nbits_quantizer as nbits  # noqa: E402
from torchao.quantization import Int8DynamicActivationIntxWeightConfig, quantize_  # noqa: E402
from torchao.quantization.granularity import PerAxis, PerGroup  # noqa: E402

from edgeshrink.catalog.grid_codes import CODES, SCALES, ZEROS  # noqa: E402
from edgeshrink.compress.grid.activations import of_blocks, of_rows  # noqa: E402
from edgeshrink.compress.grid.formats import build_grids  # noqa: E402
from edgeshrink.compress.grid.tensor_grid import TensorGrid, attach  # noqa: E402
from edgeshrink.errors import PlanError  # noqa: E402

LAYER, TABLE, HEAD = "model.layer.weight", "model.embed_tokens.weight", "lm_head.weight"
# type, scheme, algorithm -> how the library is told to write the same.
ONNX = {
    "int4z/32": ("int4", "k_quant", lambda: nbits.KQuantWeightOnlyQuantConfig(customized_weight_config=bits(4))),
    "int8z/32": ("int4", "k_quant", lambda: nbits.KQuantWeightOnlyQuantConfig(customized_weight_config=bits(8))),
    "int4/32": ("int4", "rtn", lambda: nbits.RTNWeightOnlyQuantConfig(customized_weight_config=bits(4))),
    "int8/32": ("int8", "k_quant", lambda: None),
}


def bits(count: int) -> dict[str, dict[str, int]]:
    return {"product": {"bits": count}}


class Student(torch.nn.Module):
    """As transformers names its parts; the head is the table where `tied`."""

    def __init__(self, weight: torch.Tensor, *, tied: bool = False) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.model = torch.nn.Module()
        self.model.embed_tokens = torch.nn.Embedding(40, columns)
        self.model.layer = torch.nn.Linear(columns, rows, bias=False)
        self.model.norm = torch.nn.Identity()
        self.lm_head = torch.nn.Linear(columns, 40, bias=False)
        self.model.layer.weight = torch.nn.Parameter(weight.clone())
        if tied:
            self.lm_head.weight = self.model.embed_tokens.weight


def weights(rows: int = 16, columns: int = 128) -> torch.Tensor:
    random = np.random.default_rng(11)
    values = random.standard_normal((rows, columns)) * random.uniform(0.2, 2, (rows, 1))
    return torch.from_numpy(values.astype(np.float32))


def grids(
    student: Student, format: str, scheme: str, algorithm: str = "k_quant", **types: str
) -> dict[str, TensorGrid]:
    names = {"layer": LAYER, "table": TABLE, "head": HEAD}
    settings = {"block_size": 32, "algorithm": algorithm} if format == "onnx" else {"group_size": 32}
    return build_grids(
        student,
        {
            "format": format,
            "scheme": scheme,
            "settings": settings,
            "tensors": {names[part]: type for part, type in types.items()},
            "importance": None,
            "gguf_names": {},
        },
    )


def moved(grid: TensorGrid, latent: torch.Tensor) -> torch.Tensor:
    """`latent`, and the scales of `grid`, as after some training."""
    with torch.no_grad():
        for number, value in enumerate([latent, *grid.parameters()]):
            noise = torch.randn(value.shape, generator=torch.Generator().manual_seed(number))
            value += 0.05 * noise * (latent.std() if value is latent else 1)
    return latent


def library_codes(weight: torch.Tensor, type: str) -> dict[str, np.ndarray]:
    """What onnxruntime's own quantizer makes of a product with `weight`."""
    _, _, algorithm = ONNX[type]
    quantizer = nbits.MatMulNBitsQuantizer(
        product_model(weight), bits=8 if "8" in type else 4, block_size=32, is_symmetric=True, algo_config=algorithm()
    )
    quantizer.process()
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in quantizer.model.model.graph.initializer}
    node = quantizer.model.model.graph.node[0]
    return dict(zip((CODES, SCALES, ZEROS), (stored[name] for name in node.input[1:]), strict=False))


def product_model(weight: torch.Tensor) -> Any:
    helper, rows, columns = onnx.helper, *weight.shape
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        "product",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, columns])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, rows])],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(weight.numpy().T), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def product(pieces: Any, kind: str, x: np.ndarray, rows: int) -> np.ndarray:
    """`x` times the matrix of `pieces`, by onnxruntime's kernel for 8-bit activations."""
    helper, columns = onnx.helper, x.shape[1]
    node = helper.make_node(
        "MatMulNBits",
        ["x", *pieces],
        ["y"],
        domain="com.microsoft",
        K=columns,
        N=rows,
        bits=8 if "8" in kind else 4,
        block_size=32,
        accuracy_level=4,
    )
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, columns])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, rows])],
        [onnx.numpy_helper.from_array(values, name) for name, values in pieces.items()],
    )
    domains = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=domains, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("type", ONNX)
def test_an_onnx_grid_begins_at_what_onnxruntime_writes_or_nearer(type: str) -> None:
    weight = weights()
    scheme, algorithm, _ = ONNX[type]
    grid = grids(Student(weight), "onnx", scheme, algorithm, layer=type)[LAYER]
    ours, its = grid.pieces(weight), library_codes(weight, type)
    assert ours.keys() == its.keys()
    for name, values in its.items():
        assert (ours[name].shape, ours[name].dtype) == (values.shape, values.dtype)
    if "8" in type:
        assert np.allclose(ours[SCALES], its[SCALES], rtol=1e-6)
        assert np.mean(ours[CODES] != its[CODES]) < 0.002  # a value in the middle of two codes
    eye = np.eye(weight.shape[1], dtype=np.float32)  # rounding does not change a row of one 1
    near, least = (
        np.square(product(pieces, type, eye, len(weight)).T - weight.numpy()).sum() for pieces in (ours, its)
    )
    assert near < (least * (1 + 1e-5) if "8" in type else 0.95 * least)


@pytest.mark.parametrize(("type", "columns"), [("int4z/32", 128), ("int8z/32", 80), ("int4/32", 80), ("int8/32", 128)])
def test_the_kernel_multiplies_with_what_the_layers_saw(type: str, columns: int) -> None:
    weight = weights(24, columns)
    scheme, algorithm, _ = ONNX[type]
    grid = grids(Student(weight), "onnx", scheme, algorithm, layer=type)[LAYER]
    latent = moved(grid, weight.clone())
    x = np.random.default_rng(2).standard_normal((5, columns)).astype(np.float32)
    found = product(grid.pieces(latent), type, x, len(weight))
    seen = grid(latent).detach()
    assert np.allclose(grid.values(latent), seen.numpy(), rtol=1e-5, atol=1e-6)
    expected = (of_blocks(torch.from_numpy(x), 32).double() @ seen.double().t()).numpy()
    assert np.linalg.norm(found - expected) < 2e-6 * np.linalg.norm(expected)
    plain = x.astype(np.float64) @ seen.double().numpy().T
    assert np.linalg.norm(found - plain) > 1e-3 * np.linalg.norm(plain)  # what is imitated is not nothing


@pytest.mark.parametrize(("type", "scheme"), [("i4g32", "8da4w"), ("i8row", "8da8w")])
def test_an_executorch_grid_is_nearer_than_torchao_and_runs_as_torchao_does(type: str, scheme: str) -> None:
    weight = weights()
    grid = grids(Student(weight), "executorch", scheme, layer=type)[LAYER]
    found = grid.pieces(weight)
    grouped = type == "i4g32"
    layer = torch.nn.Sequential(torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False))
    layer[0].weight = torch.nn.Parameter(weight.clone())
    config = Int8DynamicActivationIntxWeightConfig(
        weight_dtype=torch.int4 if grouped else torch.int8,
        weight_granularity=PerGroup(32) if grouped else PerAxis(0),
        weight_scale_dtype=torch.bfloat16 if grouped else None,
    )
    quantize_(layer, config)
    its = layer[0].weight
    error, least = (np.square(of - weight.numpy()).sum() for of in (grid.values(weight), its.dequantize().numpy()))
    shares = found[SCALES] / its.scale.float().reshape(len(weight), -1).numpy()
    if grouped:
        assert error < 0.9 * least
        assert 0.7 < shares.min() < shares.max() < 1.2
        assert torch.equal(torch.from_numpy(found[SCALES]).bfloat16().float(), torch.from_numpy(found[SCALES]))
    else:
        assert np.array_equal(shares, np.ones_like(shares)) and error <= least * (1 + 1e-6)
        assert np.mean(found[CODES] != its.qdata.numpy()) < 0.002
    its.qdata.copy_(torch.from_numpy(found[CODES]))
    its.scale.copy_(torch.from_numpy(found[SCALES]).reshape(its.scale.shape))
    x = torch.randn(3, weight.shape[1], generator=torch.Generator().manual_seed(5))
    expected = layer(x)
    ours = of_rows(x) @ grid(weight).detach().t()
    assert torch.linalg.norm(ours - expected) < 1e-5 * torch.linalg.norm(expected)


def test_a_tied_head_of_another_type_has_a_grid_of_its_own() -> None:
    student = Student(weights(), tied=True)
    made = grids(student, "executorch", "8da4w", layer="i4g32", table="i8row", head="i4g32")
    attach(student, made)
    assert made.keys() == {LAYER, TABLE, HEAD}
    table, head = student.model.embed_tokens.weight, student.lm_head.weight
    (table.sum() + head.sum()).backward()
    latent = student.model.embed_tokens.parametrizations.weight.original
    for name, seen in ((TABLE, table), (HEAD, head)):
        assert np.allclose(seen.detach().numpy(), made[name].values(latent), rtol=1e-5, atol=1e-6)
    assert torch.linalg.norm(head - latent) > 10 * torch.linalg.norm(table - latent)  # 4 bits and 8
    assert latent is student.lm_head.parametrizations.weight.original
    assert latent.grad is not None and latent.grad.mean() > 1.5  # both have taught it


def test_activations_are_rounded_before_layers_and_head_and_the_gradient_goes_through() -> None:
    student = Student(weights(24, 128))
    grids(student, "onnx", "int8", layer="int8/32", head="int8/32", table="int8/32")
    x = torch.randn(2, 128, requires_grad=True)
    seen: list[torch.Tensor] = []
    student.model.layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    student.model.layer(x).sum().backward()
    assert torch.allclose(seen[0], of_blocks(x.detach(), 32), rtol=1e-6, atol=1e-7)
    assert x.grad is not None and torch.allclose(x.grad, student.model.layer.weight.sum(0).expand(2, -1), atol=1e-5)
    with torch.no_grad():
        assert torch.equal(student.model.norm(x), of_blocks(x, 32))


def test_a_float_row_is_left_as_it_is() -> None:
    zeros = torch.zeros(2, 40)
    assert torch.equal(of_blocks(zeros, 32), zeros) and torch.equal(of_rows(zeros), zeros)


@pytest.mark.parametrize(("format", "scheme"), [("onnx", "int4"), ("executorch", "8da4w")])
def test_a_type_of_another_format_is_refused(format: str, scheme: str) -> None:
    with pytest.raises(PlanError, match="Q4_K"):
        grids(Student(weights()), format, scheme, layer="Q4_K")
