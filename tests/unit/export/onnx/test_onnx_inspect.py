"""What is said of a finished ONNX file, on files made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.export.onnx.inspect import inspect_onnx

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def save(path: Path, *, external: bool = False) -> Path:
    """y = relu(x @ a + b) @ c @ d, where c equals d and a is too small to count as a duplicate of anything."""
    from onnx import TensorProto, helper, numpy_helper

    square = np.arange(32 * 32, dtype=np.float32).reshape(32, 32)
    weights = {"a": np.eye(8, 32, dtype=np.float32), "b": np.ones(32, np.float32), "c": square, "d": square.copy()}
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["xa"], name="first"),
        helper.make_node("Add", ["xa", "b"], ["xab"], name="shift"),
        helper.make_node("Relu", ["xab"], ["r"], name="relu"),
        helper.make_node("MatMul", ["r", "c"], ["rc"], name="second"),
        helper.make_node("MatMul", ["rc", "d"], ["y"], name="third"),
    ]
    graph = helper.make_graph(
        nodes,
        "by hand",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 32])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    more: dict[str, Any] = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    onnx.save(model, str(path), **(more if external else {}))
    return path


@pytest.mark.parametrize("external", [False, True])
def test_a_file_is_counted_and_its_duplicates_are_named(external: bool, tmp_path: Path) -> None:
    found = inspect_onnx(save(tmp_path / "net.onnx", external=external), "cpu")
    assert (found.operators, found.delegated_operators, found.left) == (5, 5, ())
    assert found.weight_bytes == found.delegated_weight_bytes == 4 * (8 * 32 + 32 + 2 * 32 * 32)
    assert found.duplicates == (("c = d", 4096),)
    assert found.runs_here and found.operator_share == found.weight_share == 1.0


def test_a_provider_that_this_machine_lacks_is_not_guessed_about(tmp_path: Path) -> None:
    found = inspect_onnx(save(tmp_path / "net.onnx"), "cuda")
    assert not found.runs_here
    assert (found.operators, found.delegated_operators, found.delegated_weight_bytes, found.left) == (5, 0, 0, ())
    assert found.weight_bytes > 0


def test_a_folder_is_opened_by_its_configuration(tmp_path: Path) -> None:
    save(tmp_path / "other.onnx")
    config = tmp_path / "genai_config.json"
    config.write_text(json.dumps({"model": {"decoder": {"filename": "other.onnx"}}}), encoding="utf-8")
    assert inspect_onnx(tmp_path, "cpu").operators == 5
    config.write_text(json.dumps({"model": {"decoder": {"filename": "../other.onnx"}}}), encoding="utf-8")
    with pytest.raises(DataError, match="names no file of this folder"):
        inspect_onnx(tmp_path, "cpu")


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"not an ONNX file at all"])
def test_garbage_is_no_onnx(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "garbage.onnx"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"garbage\.onnx is no ONNX model"):
        inspect_onnx(path, "cpu")


def test_data_outside_the_files_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    path = save(tmp_path / "inside" / "net.onnx", external=True)
    (tmp_path / "inside" / "weights.bin").rename(tmp_path / "weights.bin")
    model = onnx.load(str(path), load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../weights.bin"
    path.write_bytes(model.SerializeToString())
    with pytest.raises((DataError, RuntimeFailed)) as caught:
        inspect_onnx(path, "cpu")
    assert "weights.bin" in caught.value.message


def test_data_that_was_cut_short_is_an_error(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", external=True)
    data = tmp_path / "weights.bin"
    data.write_bytes(data.read_bytes()[:-100])
    with pytest.raises(DataError, match="too short"):
        inspect_onnx(path, "cpu")


def test_weights_inside_control_flow_count(shared_data: Path) -> None:
    """The published voice-activity model: one If, branches with weights of their own."""
    found = inspect_onnx(shared_data / "audio" / "silero_vad_op18_ifless.onnx", "cpu")
    assert found.operators >= 80 and found.weight_bytes > 2_000_000
    assert found.weight_share == 1.0
