"""Every architecture, in every shape it comes in: the F32 file that we write computes what transformers computes.

Models are tiny and random (biases and norms too), so a wrong permutation, key or tensor name shows at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.catalog.models import inspect_model
from edgeshrink.core.events import silent
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.export.gguf.write import write_gguf
from edgeshrink.planning.gguf_metadata import model_metadata
from edgeshrink.planning.layout import check_source, computed_tensors, layout, parameter_count
from edgeshrink.runtimes.llama_cpp import load

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64}
PLAIN = {"rope_type": "default", "rope_theta": 10000.0}

CASES: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama"},
    "llama tied": {"model_type": "llama", "tie_word_embeddings": True},
    "llama without grouping": {"model_type": "llama", "num_key_value_heads": 4},
    "llama with biases": {"model_type": "llama", "attention_bias": True, "mlp_bias": True},
    "llama with wide heads": {"model_type": "llama", "head_dim": 32},
    "llama with llama3 scaling": {"model_type": "llama", "rope_parameters": LLAMA3},
    "llama with linear scaling": {
        "model_type": "llama",
        "rope_parameters": {**PLAIN, "rope_type": "linear", "factor": 2.0},
    },
    "llama with yarn": {"model_type": "llama", "rope_parameters": YARN},
    "llama with yarn, attention factor set": {
        "model_type": "llama",
        "rope_parameters": {**YARN, "attention_factor": 0.8},
    },
    "mistral": {"model_type": "mistral", "sliding_window": None},
    "mistral with wide heads": {"model_type": "mistral", "sliding_window": None, "head_dim": 32},
    "qwen2": {"model_type": "qwen2"},
    "qwen2 tied": {"model_type": "qwen2", "tie_word_embeddings": True},
    "qwen2 with yarn": {"model_type": "qwen2", "rope_parameters": YARN},
    "qwen3": {"model_type": "qwen3"},
    "qwen3 tied with wide heads": {"model_type": "qwen3", "tie_word_embeddings": True, "head_dim": 32},
    "mixtral": {"model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2},
    "mixtral tied with wide heads": {
        "model_type": "mixtral",
        "num_local_experts": 5,
        "num_experts_per_tok": 3,
        "tie_word_embeddings": True,
        "head_dim": 32,
    },
    "qwen2_moe": {
        "model_type": "qwen2_moe",
        "num_experts": 6,
        "num_experts_per_tok": 4,
        "moe_intermediate_size": 48,
        "shared_expert_intermediate_size": 80,
    },
    "qwen3_moe": {
        "model_type": "qwen3_moe",
        "num_experts": 16,
        "num_experts_per_tok": 3,
        "moe_intermediate_size": 48,
        "norm_topk_prob": True,
    },
    "qwen3_moe as wide as a dense layer": {
        "model_type": "qwen3_moe",
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 112,
        "norm_topk_prob": True,
        "tie_word_embeddings": True,
        "head_dim": 32,
    },
}
SHAPE = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
    "rope_parameters": PLAIN,
}
IDS = [int(number) for number in np.random.default_rng(5).integers(0, 96, 120)]


def random_model(folder: Path, changes: dict[str, Any], **saving: Any) -> Any:
    """A random model in `folder`, and the model itself in float32."""
    config = transformers.AutoConfig.for_model(**{**SHAPE, **changes})
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            values = torch.randn(weights.shape, generator=generator)
            weights.copy_(1 + 0.3 * values if name.endswith("norm.weight") else 0.12 * values)
    model.to(saving.pop("dtype", torch.float32)).save_pretrained(folder, **saving)
    # Read back: casting rounds the rotary buffers of the model at hand too.
    loaded = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    return loaded.eval()


def written(folder: Path, file: Path) -> Path:
    """`folder` as an F32 GGUF without a tokenizer."""
    facts = inspect_model(str(folder))
    tensors = tuple(type(plan)(**{**_fields(plan), "type": "F32"}) for plan in layout(facts))
    check_source(facts, tensors)
    metadata = (*model_metadata(facts, file_type=0, name="tiny"), KeyValue("tokenizer.ggml.model", "string", "none"))
    source = {tensor.name: tensor for tensor in facts.tensors}
    computed = computed_tensors(facts)
    write_gguf(file, metadata, tensors, source, importance=None, threads=1, listener=silent, computed=computed)
    return file


def _fields(plan: Any) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in plan.__slots__}


def difference(model: Any, file: Path) -> float:
    """Largest difference of any logit at any position."""
    with torch.no_grad():
        expected = model(torch.tensor([IDS])).logits[0].numpy()
    with load(file, context=256, threads=1, exact=True) as session:
        found = session.logits(IDS)
    assert found.shape == expected.shape
    assert np.abs(expected).max() > 1  # logits near zero would agree whatever the file says
    return float(np.abs(found - expected).max())


@pytest.mark.parametrize("case", CASES)
def test_an_f32_file_computes_what_transformers_computes(case: str, tmp_path: Path) -> None:
    model = random_model(tmp_path / "model", CASES[case])
    assert difference(model, written(tmp_path / "model", tmp_path / "model.gguf")) < 1e-3
    assert parameter_count(inspect_model(str(tmp_path / "model"))) == model.num_parameters()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_shards_are_read_exactly(dtype: str, tmp_path: Path) -> None:
    model = random_model(
        tmp_path / "model", {"model_type": "llama"}, dtype=getattr(torch, dtype), max_shard_size="40KB"
    )
    assert len(list((tmp_path / "model").glob("*.safetensors"))) > 1
    assert inspect_model(str(tmp_path / "model")).dtype == {"bfloat16": "BF16", "float16": "F16"}[dtype]
    assert difference(model, written(tmp_path / "model", tmp_path / "model.gguf")) < 1e-3


def test_a_config_of_transformers_4_means_the_same(tmp_path: Path) -> None:
    model = random_model(tmp_path / "model", {"model_type": "llama", "rope_parameters": LLAMA3})
    new = written(tmp_path / "model", tmp_path / "new.gguf")
    file = tmp_path / "model" / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    scaling = config.pop("rope_parameters")
    config["rope_theta"] = scaling.pop("rope_theta")
    config["rope_scaling"] = scaling
    config["torch_dtype"] = config.pop("dtype")
    del config["head_dim"]
    file.write_text(json.dumps(config), encoding="utf-8")
    old = written(tmp_path / "model", tmp_path / "old.gguf")
    assert old.read_bytes() == new.read_bytes()
    assert difference(model, old) < 1e-3


def test_a_gguf_source_goes_through_unchanged(tmp_path: Path) -> None:
    random_model(tmp_path / "model", {"model_type": "qwen3"})
    first = written(tmp_path / "model", tmp_path / "first.gguf")
    facts = inspect_model(str(first))
    folder = inspect_model(str(tmp_path / "model"))
    alike = ("n_layers", "hidden_size", "ffn_size", "n_heads", "n_kv_heads", "head_dim", "vocab_size", "context_length")
    for name in (*alike, "rope_theta", "tied_embeddings", "dtype", "model_type"):
        assert getattr(facts, name) == getattr(folder, name), name
    tokenizer = tuple(entry for entry in facts.metadata if entry.key.startswith("tokenizer."))
    second = tmp_path / "second.gguf"
    metadata = (*model_metadata(facts, file_type=0, name="other"), *tokenizer)
    source = {tensor.name: tensor for tensor in facts.tensors}
    write_gguf(second, metadata, layout(facts), source, importance=None, threads=1, listener=silent)
    with (
        load(first, context=256, threads=1, exact=True) as one,
        load(second, context=256, threads=1, exact=True) as two,
    ):
        assert np.array_equal(one.logits(IDS), two.logits(IDS))
