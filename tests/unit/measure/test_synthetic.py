from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeshrink.measure.synthetic import Shape, write_random_gguf
from edgeshrink.runtimes import llama_cpp

gguf = pytest.importorskip("gguf")


@pytest.mark.parametrize("type_name", ["F32", "F16", "Q8_0", "Q4_0", "Q4_K", "Q6_K"])
def test_the_file_is_what_the_shape_says_and_computes_sane_numbers(tmp_path: Path, type_name: str) -> None:
    shape = Shape(layers=1, width=256, ffn=256, vocab=320, type=type_name, vocabulary=True)
    path = tmp_path / "random.gguf"
    write_random_gguf(path, shape)
    assert [file.name for file in tmp_path.iterdir()] == ["random.gguf"]
    matrices = [tensor for tensor in gguf.GGUFReader(path).tensors if len(tensor.shape) == 2]
    assert {tensor.tensor_type.name for tensor in matrices} == {type_name}
    assert sum(int(tensor.n_elements) for tensor in matrices) == shape.parameters
    assert sum(int(tensor.n_bytes) for tensor in matrices) == shape.weight_bytes
    with llama_cpp.load(path, context=256, threads=1) as session:
        logits = session.logits(session.tokenize("abc", add_special=True, parse_special=False))
    assert np.isfinite(logits).all()
    assert 1e-3 < logits.std() < 1e3


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gguf.GGUFWriter.write_tensor_data", full)
    with pytest.raises(OSError, match="No space left"):
        write_random_gguf(tmp_path / "random.gguf", Shape())
    assert list(tmp_path.iterdir()) == []
