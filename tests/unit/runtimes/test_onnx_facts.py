"""The facts of an .onnx file, and files that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch_modules import source_of

from edgeshrink.core.network import Port
from edgeshrink.errors import DataError, UnsupportedModel
from edgeshrink.runtimes.network_facts import network_facts

onnx = pytest.importorskip("onnx")

from edgeshrink.runtimes.onnx_facts import onnx_facts  # noqa: E402


def test_the_facts_of_an_onnx_file_are_read_from_its_graph(shared_data: Path) -> None:

    facts = network_facts(source_of(shared_data / "vision" / "mnist.onnx"))
    assert facts.inputs == (Port("Input3", "float32", (1, 1, 28, 28)),)  # initializers are listed as inputs there
    assert facts.outputs == (Port("Plus214_Output_0", "float32", (1, 10)),)
    silero = network_facts(source_of(shared_data / "audio" / "silero_vad_op18_ifless.onnx"))
    assert silero.inputs[1:] == (Port("sr", "int64", ()), Port("state", "float32", (2, "batch", 128)))
    assert silero.weight_elements > 500_000


def test_broken_onnx_files_are_refused(tmp_path: Path, shared_data: Path) -> None:

    whole = shared_data / "vision" / "mnist.onnx"
    file = tmp_path / "net.onnx"
    for content in (b"", b"\x00\xff garbage", whole.read_bytes()[:9000]):
        file.write_bytes(content)
        with pytest.raises(DataError):
            network_facts(source_of(file))
    weight = onnx.numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4]) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("MatMul", ["x", "w"], ["y"])], "net", [x], [y], [weight])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(file), save_as_external_data=True, location="net.data", size_threshold=0)
    assert tmp_path / "net.data" in network_facts(source_of(file)).files
    (tmp_path / "net.data").unlink()
    with pytest.raises(DataError, match=r"net\.data"):
        network_facts(source_of(file))


def test_a_quantized_onnx_file_is_refused(tmp_path: Path, shared_data: Path) -> None:
    pytest.importorskip("onnxruntime")
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(str(shared_data / "vision" / "mnist.onnx"), str(tmp_path / "q.onnx"))
    with pytest.raises(UnsupportedModel, match="quantized already"):
        network_facts(source_of(tmp_path / "q.onnx"))


def one_node(path: Path, kind: str, inputs: list[Any], domain: str = "") -> Path:
    """A file with one operator that reads `inputs` (not run, only read)."""
    node = onnx.helper.make_node(kind, [value.name for value in inputs], ["y"], domain=domain)
    out = onnx.helper.make_tensor_value_info("y", inputs[0].type.tensor_type.elem_type, [1])
    graph = onnx.helper.make_graph([node], "net", inputs, [out])
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("com.microsoft", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9), str(path))
    return path


@pytest.mark.parametrize(
    ("kind", "domain"), [("QLinearMatMul", ""), ("QGemm", "com.microsoft"), ("MatMulNBits", "com.microsoft")]
)
def test_every_quantized_operator_is_refused(tmp_path: Path, kind: str, domain: str) -> None:
    inputs = [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, [1])]
    with pytest.raises(UnsupportedModel, match=rf"quantized already \({kind}\)"):
        onnx_facts(source_of(one_node(tmp_path / "q.onnx", kind, inputs, domain)))


def test_a_quantized_operator_inside_a_branch_is_refused(tmp_path: Path) -> None:
    inner = onnx.helper.make_graph(
        [onnx.helper.make_node("QLinearAdd", ["a"], ["b"], domain="com.microsoft")],
        "inner",
        [],
        [onnx.helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, [1])],
    )
    test = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.BOOL, [1])
    file = one_node(tmp_path / "q.onnx", "If", [test])
    model = onnx.load(str(file))
    for name in ("then_branch", "else_branch"):
        model.graph.node[0].attribute.append(onnx.helper.make_attribute(name, inner))
    onnx.save(model, str(file))
    with pytest.raises(UnsupportedModel, match="QLinearAdd"):
        onnx_facts(source_of(file))


def test_inputs_that_are_no_numbers_or_have_no_shape_are_named(tmp_path: Path) -> None:
    def facts_with(kind: int, shape: list[int] | None) -> None:
        value = onnx.helper.make_tensor_value_info("words", kind, shape)
        onnx_facts(source_of(one_node(tmp_path / "net.onnx", "Identity", [value])))

    with pytest.raises(UnsupportedModel, match="the input words is a tensor of string") as caught:
        facts_with(onnx.TensorProto.STRING, [1])
    assert "export" in caught.value.hint
    with pytest.raises(UnsupportedModel, match="the input words is a tensor of bfloat16"):
        facts_with(onnx.TensorProto.BFLOAT16, [1])
    with pytest.raises(UnsupportedModel, match="the input words has no shape"):
        facts_with(onnx.TensorProto.FLOAT, None)
    facts_with(onnx.TensorProto.FLOAT, [])  # a scalar has a shape
