"""The source in numpy with an adapter beside it computes what the merged weights compute."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from low_rank import PREFIX, write_random_adapter
from safetensors.numpy import load_file, save_file
from tiny_models import write_tiny_model

from edgeshrink.catalog.adapters import read_adapter
from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.errors import DataError
from edgeshrink.evaluate.source_forward import source_logits

TOKENS = (1, 5, 9, 2, 77, 30)


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_it_is_the_merged_model(tmp_path: Path, demo_model: Path, kind: str) -> None:
    base = tmp_path / "base"
    write_tiny_model(base, demo_model, kind)
    folder = write_random_adapter(tmp_path / "updates", base, rank=3, alpha=6.0)
    facts, adapter = inspect_folder(base, str(base)), read_adapter(folder)

    merged = tmp_path / "merged"
    shutil.copytree(base, merged)
    halves = load_file(folder / "adapter_model.safetensors")
    weights = {tensor.name: read_rows(tensor).reshape(tensor.shape) for tensor in facts.tensors}
    for name in {key.removeprefix(PREFIX).rpartition(".lora_")[0] for key in halves}:
        a, b = (halves[f"{PREFIX}{name}.lora_{half}.weight"].astype(np.float64) for half in "AB")
        weights[f"{name}.weight"] = (weights[f"{name}.weight"] + 2.0 * b @ a).astype(np.float32)
    for file in merged.glob("*.safetensors*"):
        file.unlink()
    save_file(weights, merged / "model.safetensors", {"format": "pt"})

    expected = source_logits(inspect_folder(merged, str(merged)), TOKENS)
    plain, with_it = source_logits(facts, TOKENS), source_logits(facts, TOKENS, adapter)
    np.testing.assert_allclose(with_it, expected, rtol=0, atol=2e-4 * float(np.abs(expected).max()))
    assert np.abs(with_it - plain).max() > 0.01


def test_updates_of_other_names_are_refused(tmp_path: Path, demo_model: Path) -> None:
    base = tmp_path / "base"
    write_tiny_model(base, demo_model, "llama")
    adapter = read_adapter(write_random_adapter(tmp_path / "updates", base))
    strange = replace(adapter, updates=(replace(adapter.updates[0], weight="blk.0.attn_q.weight"),))
    with pytest.raises(DataError, match="other names"):
        source_logits(inspect_folder(base, str(base)), TOKENS, strange)
