"""A model that was trained for a file: the file has exactly its codes, and says what it said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_models import write_tiny_model

from edgeshrink.runtimes.child import run_job

for package in ("torch", "torchao", "executorch", "onnxruntime_genai"):
    pytest.importorskip(package)

# A tied head of its own type and norms of heads; queries, keys and values in one matrix; a table of its own.
CASES = {
    "onnx-tied": ("qwen3", "onnx", "int4"),
    "onnx-untied": ("llama", "onnx", "int8"),
    "executorch-tied": ("qwen3", "executorch", "8da4w"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> dict[str, Any]:
    work = tmp_path_factory.mktemp("trained")
    # Exporting to ExecuTorch takes seconds a layer.
    models = {
        case: [str(write_tiny_model(work / f"{case}-source", demo_model, kind, num_hidden_layers=1)), format, scheme]
        for case, (kind, format, scheme) in CASES.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        return run_job("trained_formats:job", {"work": str(work), "models": models})


@pytest.mark.parametrize("case", CASES)
def test_the_file_has_exactly_the_codes_that_were_trained(case: str, found: dict[str, Any]) -> None:
    assert found[case]["tensors"] >= 8
    assert found[case]["wrong"] == []


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith("onnx")])
def test_a_fresh_rounding_of_the_same_weights_is_found_out(case: str, found: dict[str, Any]) -> None:
    assert found[case]["wrong anew"]


@pytest.mark.parametrize("case", CASES)
def test_the_file_says_what_the_model_said(case: str, found: dict[str, Any]) -> None:
    mean_kl, difference, largest = found[case]["agreement"]
    assert mean_kl < 1e-4 and difference < 0.05 * largest
    assert (found[case]["check"], found[case]["check of other tokens"]) == ("ok", "failed")


@pytest.mark.parametrize("part", ["linear", "table", "scales"])
def test_four_bits_are_laid_out_as_executorch_has_them(part: str, found: dict[str, Any]) -> None:
    assert found["layouts"][part]
