"""Llama 3's rotary factors, against transformers' own computation."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeshrink.catalog.models import inspect_model
from edgeshrink.planning.rope_factors import ROPE_FREQS, computed_tensors, rope_factor_count, rope_factors

from test_layout import LLAMA_3_2_1B, facts_of


def test_factors_are_transformers_frequencies_over_plain_ones(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    facts = facts_of(tmp_path, LLAMA_3_2_1B)
    config = transformers.AutoConfig.from_pretrained(tmp_path, local_files_only=True)
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = 1.0 / (facts.rope_theta ** (torch.arange(0, 64, 2, dtype=torch.float32) / 64))
    assert rope_factors(facts) == pytest.approx((plain / scaled).tolist(), rel=1e-5)


def test_the_computed_tensor_has_the_planned_shape(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, LLAMA_3_2_1B)
    values = computed_tensors(facts)[ROPE_FREQS]
    assert values.shape == (rope_factor_count(facts),) == (32,)
    assert values.dtype == "float32"
    assert values[0] == 1.0 and values[-1] == 32.0


def test_plain_positions_need_no_tensor(stories: Path) -> None:
    facts = inspect_model(str(stories))
    assert rope_factor_count(facts) == 0
    assert rope_factors(facts) == ()
    assert computed_tensors(facts) == {}
