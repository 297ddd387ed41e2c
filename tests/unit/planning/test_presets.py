"""The mix is llama.cpp's own, tensor by tensor: what libllama's quantizer says in a dry run decides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from libllama_oracle import PRESETS, QUANTIZED, dry_run_types, facts, header_only, plans

from edgeshrink.core.model import Experts, ModelFacts
from edgeshrink.core.plan import TensorPlan
from edgeshrink.errors import PlanError
from edgeshrink.planning.presets import SCHEMES, preset_types, scheme

SHAPES = {
    "llama with 2:1 heads": facts(),
    "llama with 8:2 heads and 32 layers": facts(layers=32, heads=8, kv_heads=2),
    "tied embeddings": facts(layers=4, tied=True),
    "64-wide rows": facts(layers=5, hidden=64, ffn=172, heads=8, kv_heads=4, tied=True),
    "rows of 100": facts(layers=3, hidden=100, ffn=352, heads=2, kv_heads=1),
    "tied rows of 96": facts(layers=17, hidden=96, ffn=256, heads=4, kv_heads=4, tied=True),
    "mistral": facts(model_type="mistral", layers=12, heads=8, kv_heads=1),
    "qwen2 with biases": facts(model_type="qwen2", layers=24, tied=True),
    "qwen3": facts(model_type="qwen3", layers=28, heads=8, kv_heads=4),
    "llama 70B": facts(layers=80, heads=8, kv_heads=1, ffn=256),
    "llama 65B": facts(layers=80, heads=4, kv_heads=4, ffn=256),
    "qwen2 72B": facts(model_type="qwen2", layers=80, heads=4, kv_heads=4, ffn=256),
    "qwen3 of 80 layers": facts(model_type="qwen3", layers=80, heads=8, kv_heads=4, ffn=256),
    "mixtral of 8 experts": facts(model_type="mixtral", layers=32, heads=8, kv_heads=2, experts=Experts(8, 2, 512)),
    "mixtral of 4 experts": facts(model_type="mixtral", layers=16, experts=Experts(4, 2, 512)),
    "tied mixtral of 8 experts": facts(model_type="mixtral", layers=9, tied=True, experts=Experts(8, 2, 512)),
    "mixtral of 80 layers": facts(model_type="mixtral", layers=80, heads=8, kv_heads=1, experts=Experts(4, 2, 256)),
    "qwen2_moe": facts(model_type="qwen2_moe", layers=24, ffn=512, experts=Experts(60, 4, 352, shared_ffn=512)),
    "qwen2_moe of 8 experts": facts(model_type="qwen2_moe", layers=12, experts=Experts(8, 4, 512, shared_ffn=768)),
    "qwen3_moe": facts(model_type="qwen3_moe", layers=48, heads=8, kv_heads=1, experts=Experts(128, 8, 256)),
    "qwen3_moe of narrow rows": facts(model_type="qwen3_moe", layers=11, hidden=96, experts=Experts(8, 2, 64)),
    "mixtral of 1 expert": facts(model_type="mixtral", layers=16, experts=Experts(1, 1, 512)),
}


def chosen(
    model: ModelFacts, name: str, *, has_imatrix: bool = False, overrides: tuple[tuple[str, str], ...] = ()
) -> dict[str, TensorPlan]:
    found = preset_types(name, plans(model), model, has_imatrix=has_imatrix, overrides=overrides)
    return {plan.name: plan for plan in found}


def types(found: dict[str, TensorPlan]) -> dict[str, str]:
    return {name: plan.type for name, plan in found.items()}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_tensor_gets_the_type_that_libllama_gives_it(shape: str, tmp_path: Path) -> None:
    model = SHAPES[shape]
    header_only(tmp_path / "m.gguf", model, plans(model))
    imatrix = {"blk.0.attn_q.weight": np.ones(model.hidden_size, np.float32)}
    for name in PRESETS:
        assert types(chosen(model, name)) == dry_run_types(tmp_path / "m.gguf", name), name
        with_imatrix = dry_run_types(tmp_path / "m.gguf", name, imatrix=imatrix)
        assert types(chosen(model, name, has_imatrix=True)) == with_imatrix, name


@pytest.mark.parametrize(
    "overrides",
    [
        (("attn_v", "Q8_0"),),
        (("blk\\.[0-3]\\.ffn_down", "Q5_K"), ("ffn_down", "Q3_K")),
        (("token_embd", "F16"), ("output", "Q4_0")),
        (("attn_q", "IQ4_XS"), ("blk.1", "Q2_K")),
    ],
)
@pytest.mark.parametrize("shape", ["llama with 8:2 heads and 32 layers", "64-wide rows"])
def test_an_override_does_not_move_the_rest_of_the_mix_further_than_in_libllama(
    shape: str, overrides: tuple[tuple[str, str], ...], tmp_path: Path
) -> None:
    model = SHAPES[shape]
    header_only(tmp_path / "m.gguf", model, plans(model))
    for name in QUANTIZED:
        expected = dry_run_types(tmp_path / "m.gguf", name, overrides=overrides)
        assert types(chosen(model, name, overrides=overrides)) == expected, name


def test_the_order_of_the_tensors_is_kept() -> None:
    tensors = plans(facts(layers=12))
    found = preset_types("Q4_K_M", tensors, facts(layers=12), has_imatrix=False)
    assert [plan.name for plan in found] == [plan.name for plan in tensors]


def test_each_type_says_why() -> None:
    narrow = chosen(facts(layers=2, hidden=64, ffn=172, heads=8, kv_heads=4), "q4_k_m", overrides=(("attn_k", "Q8_0"),))
    wide = chosen(facts(), "Q4_K_M")
    assert wide["blk.0.attn_v.weight"].why == "Q4_K_M mix: attn_v in a sensitive layer"
    assert wide["blk.0.attn_q.weight"].why == "Q4_K_M base type"
    assert wide["blk.0.attn_norm.weight"].why == "1-D tensors stay F32"
    assert wide["output.weight"].why == "Q4_K_M mix: output layer"
    assert narrow["blk.0.attn_q.weight"].why == "fallback from Q4_K: rows of 64 are not a multiple of 256"
    assert narrow["blk.0.ffn_down.weight"].why == "F16: rows of 172 fit no block type"
    assert narrow["blk.0.attn_k.weight"].why == "--tensor-type"


def test_an_override_applies_to_an_unquantized_scheme_and_falls_back_too() -> None:
    found = types(chosen(facts(hidden=64, heads=2), "F16", overrides=(("attn_v", "Q6_K"), ("token_embd", "f32"))))
    assert found["blk.0.attn_v.weight"] == "Q8_0"
    assert found["token_embd.weight"] == "F32"
    assert found["blk.0.attn_q.weight"] == "F16"
    assert found["blk.0.attn_norm.weight"] == "F32"


@pytest.mark.parametrize(
    ("override", "says"),
    [(("attn_x", "Q8_0"), "matches no matrix"), (("_norm", "Q8_0"), "matches no matrix"),
     (("attn_(", "Q8_0"), "attn_("), (("attn_v", "Q9_9"), "unknown tensor type 'Q9_9'")],
)  # fmt: skip
def test_an_override_that_cannot_be_obeyed_is_refused(override: tuple[str, str], says: str) -> None:
    with pytest.raises(PlanError) as caught:
        chosen(facts(), "Q4_K_M", overrides=(override,))
    assert says in caught.value.message and caught.value.hint


def test_an_unknown_scheme_lists_the_known_ones() -> None:
    assert scheme("q4_k_m") is SCHEMES["Q4_K_M"]
    with pytest.raises(PlanError) as caught:
        scheme("Q4_K_XL")
    assert "Q4_K_M" in caught.value.hint


@pytest.mark.parametrize("name", PRESETS)
def test_the_nominal_bits_are_those_of_llama_8b(name: str) -> None:
    model = facts(layers=32, hidden=4096, ffn=14336, heads=32, kv_heads=8, vocab=128256)
    found = preset_types(name, plans(model), model, has_imatrix=False)
    bits = 8 * sum(plan.nbytes for plan in found) / sum(plan.elements for plan in found)
    assert bits == pytest.approx(SCHEMES[name].bits_per_weight, abs=0.005)
