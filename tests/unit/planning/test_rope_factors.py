"""Llama 3's rotary factors, against transformers' own computation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgeshrink.catalog.models import inspect_model
from edgeshrink.planning.rope_factors import ROPE_FREQS, computed_tensors, rope_factor_count, rope_factors

LLAMA3: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 32,
    "max_position_embeddings": 131072,
    "rope_theta": 500000.0,
    "rope_scaling": {
        "factor": 32.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA3), encoding="utf-8")
    return tmp_path


def test_factors_are_transformers_frequencies_over_plain_ones(folder: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    facts = inspect_model(str(folder))
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = 1.0 / (facts.rope_theta ** (torch.arange(0, 64, 2, dtype=torch.float32) / 64))
    assert rope_factors(facts) == pytest.approx((plain / scaled).tolist(), rel=1e-5)


def test_the_computed_tensor_has_the_planned_shape(folder: Path) -> None:
    facts = inspect_model(str(folder))
    values = computed_tensors(facts)[ROPE_FREQS]
    assert values.shape == (rope_factor_count(facts),) == (32,)
    assert values.dtype == "float32"
    assert values[0] == 1.0 and values[-1] == 32.0


def test_plain_positions_need_no_tensor(stories: Path) -> None:
    facts = inspect_model(str(stories))
    assert rope_factor_count(facts) == 0
    assert rope_factors(facts) == ()
    assert computed_tensors(facts) == {}
