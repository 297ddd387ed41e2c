"""The tensors that a configuration promises, and what a folder holds of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeshrink.catalog.models import inspect_model
from edgeshrink.core.model import ModelFacts, SourceTensor
from edgeshrink.errors import DataError
from edgeshrink.planning.layout import check_source, layout, parameter_count

LLAMA_3_2_1B: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "rope_scaling": {
        "factor": 32.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}
# The same model as the hub counts it (parameters of meta-llama/Llama-3.2-1B).
LLAMA_3_2_1B_PARAMETERS = 1_235_814_400


def facts_of(tmp_path: Path, config: dict[str, Any]) -> ModelFacts:
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return inspect_model(str(tmp_path))


def test_a_known_model_has_its_known_parameters(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, LLAMA_3_2_1B)
    tensors = layout(facts)
    assert parameter_count(facts) == LLAMA_3_2_1B_PARAMETERS
    assert sum(tensor.elements for tensor in tensors if tensor.source) == LLAMA_3_2_1B_PARAMETERS
    assert [tensor.name for tensor in tensors if not tensor.source] == ["rope_freqs.weight"]
    assert {tensor.type for tensor in tensors} == {"F32", "BF16"}


def test_vectors_are_f32_and_matrices_as_in_the_source(tmp_path: Path) -> None:
    for tensor in layout(facts_of(tmp_path, LLAMA_3_2_1B)):
        assert tensor.type == ("F32" if len(tensor.shape) == 1 else "BF16")
        assert tensor.why


def test_file_order_is_embedding_blocks_norm_output(tmp_path: Path) -> None:
    names = [tensor.name for tensor in layout(facts_of(tmp_path, {**LLAMA_3_2_1B, "tie_word_embeddings": False}))]
    assert names[0] == "token_embd.weight"
    assert names[-2:] == ["output_norm.weight", "output.weight"]
    blocks = [int(name.split(".")[1]) for name in names if name.startswith("blk.")]
    assert blocks == sorted(blocks) and set(blocks) == set(range(16))


def test_only_q_and_k_of_rotated_pairs_are_permuted(tmp_path: Path) -> None:
    permuted = {t.name.split(".", 2)[2]: t.heads for t in layout(facts_of(tmp_path, LLAMA_3_2_1B)) if t.heads}
    assert permuted == {"attn_q.weight": 32, "attn_k.weight": 8}
    qwen = {**LLAMA_3_2_1B, "model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "rope_scaling": None}
    assert not any(t.heads or t.transform != "none" for t in layout(facts_of(tmp_path, qwen)))


def test_weights_that_fit_their_configuration_pass(stories: Path) -> None:
    facts = inspect_model(str(stories))
    check_source(facts, layout(facts))


def with_tensors(facts: ModelFacts, tensors: tuple[SourceTensor, ...]) -> ModelFacts:
    return replace(facts, tensors=tensors)


def test_a_missing_tensor_is_named(stories: Path) -> None:
    facts = inspect_model(str(stories))
    gone = "model.layers.3.mlp.up_proj.weight"
    fewer = with_tensors(facts, tuple(tensor for tensor in facts.tensors if tensor.name != gone))
    with pytest.raises(DataError, match=gone):
        check_source(fewer, layout(fewer))


def test_a_wrong_shape_is_named_with_both_shapes(stories: Path) -> None:
    facts = inspect_model(str(stories))
    wrong = tuple(
        replace(tensor, shape=(64, 171)) if tensor.name.endswith("0.mlp.down_proj.weight") else tensor
        for tensor in facts.tensors
    )
    with pytest.raises(DataError, match=r"down_proj.*\[64, 171\].*\[64, 172\]"):
        check_source(with_tensors(facts, wrong), layout(facts))


def test_a_surplus_tensor_is_named(stories: Path) -> None:
    facts = inspect_model(str(stories))
    extra = replace(facts.tensors[0], name="model.layers.0.self_attn.q_proj.bias")
    with pytest.raises(DataError, match=r"q_proj\.bias"):
        check_source(with_tensors(facts, (*facts.tensors, extra)), layout(facts))


@pytest.mark.parametrize("name", ["model.layers.0.self_attn.rotary_emb.inv_freq", "lm_head.weight"])
def test_buffers_and_tied_heads_may_be_there(name: str, stories: Path) -> None:
    facts = inspect_model(str(stories))
    check_source(with_tensors(facts, (*facts.tensors, replace(facts.tensors[0], name=name))), layout(facts))


def test_an_untied_head_that_is_missing_is_an_error(stories: Path) -> None:
    facts = replace(inspect_model(str(stories)), tied_embeddings=False)
    with pytest.raises(DataError, match=r"lm_head\.weight"):
        check_source(facts, layout(facts))


def test_a_folder_without_weights_cannot_be_checked(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, LLAMA_3_2_1B)
    with pytest.raises(DataError, match="no weights"):
        check_source(facts, layout(facts))
