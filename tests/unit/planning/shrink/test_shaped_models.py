"""A model of other sizes: what it counts, what its configuration says, and how formats plan it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shrunk_models import CONFIGS, KINDS, planned, shrinkable

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.reading import Estimate
from edgeshrink.core.shape import Shape
from edgeshrink.errors import PlanError
from edgeshrink.planning.layout import parameter_count
from edgeshrink.planning.resolve import candidate
from edgeshrink.planning.shrink.axes import told, words
from edgeshrink.planning.shrink.shaped import facts_of, parameters, shaped, shaped_config


def by_hand(facts: ModelFacts, shape: Shape) -> int:
    """The count from the papers' formulas, written anew."""
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    matrices = shape.hidden * (queries + 2 * keys) + queries * shape.hidden + 3 * shape.hidden * shape.ffn
    biases = 0
    if facts.model_type == "qwen2" or facts.config.get("attention_bias"):
        biases += queries + 2 * keys
    if facts.config.get("attention_bias"):
        biases += shape.hidden
    if facts.config.get("mlp_bias"):
        biases += 2 * shape.ffn + shape.hidden
    norms = 2 * shape.hidden + (2 * shape.head_dim if facts.model_type == "qwen3" else 0)
    tables = shape.vocab * shape.hidden * (1 if facts.tied_embeddings else 2)
    return tables + shape.hidden + shape.layers * (matrices + biases + norms)


@settings(deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    layers=st.integers(1, 30),
    ffn=st.integers(1, 5000),
    groups=st.integers(1, 8),
    hidden=st.integers(1, 2000),
)
def test_parameters_are_counted_to_the_last_one(
    models: dict[str, ModelFacts], kind: str, layers: int, ffn: int, groups: int, hidden: int
) -> None:
    facts = models[kind]
    heads = groups * Shape.of(facts).group
    width = heads * facts.head_dim if kind == "qwen2" else hidden
    shape = Shape(layers, width, ffn, heads, groups, facts.head_dim, facts.vocab_size)
    assert parameters(facts, shape) == by_hand(facts, shape) == parameter_count(facts_of(facts, shape))


@pytest.mark.parametrize("kind", KINDS)
def test_its_configuration_reads_back_as_its_facts(kind: str, models: dict[str, ModelFacts], tmp_path: Path) -> None:
    facts = models[kind]
    shape = replace(Shape.of(facts), layers=3, ffn=640)
    made = facts_of(facts, shape)
    (tmp_path / "config.json").write_text(json.dumps(made.config), encoding="utf-8")
    read = inspect_folder(tmp_path, facts.source.given, weights=False)
    assert replace(read, source=made.source) == made
    assert Shape.of(read) == shape


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_as_it_is_keeps_all_it_says(kind: str, models: dict[str, ModelFacts]) -> None:
    facts = models[kind]
    config = shaped_config(facts, Shape.of(facts))
    assert {key: config[key] for key in facts.config} == dict(facts.config)


def test_what_is_said_of_each_layer_follows_the_layers_that_are_kept(tmp_path: Path) -> None:
    kinds = ["full_attention", "sliding_attention"] * 7
    facts = shrinkable(tmp_path, "qwen3", layer_types=kinds, max_window_layers=4)
    shape = replace(Shape.of(facts), layers=4)
    config = shaped_config(facts, shape, (0, 2, 3, 13))
    assert config["layer_types"] == ["full_attention", "full_attention", "sliding_attention", "sliding_attention"]
    assert config["max_window_layers"] == 3
    assert shaped_config(facts, shape)["layer_types"] == kinds[:4]


def test_a_window_that_begins_at_the_default_layer_still_begins_there(tmp_path: Path) -> None:
    """Without max_window_layers transformers lets the first 28 look at everything, whatever layers they were."""
    config = {key: entry for key, entry in CONFIGS["qwen2"].items() if key != "max_window_layers"}
    (tmp_path / "config.json").write_text(
        json.dumps({**config, "num_hidden_layers": 32, "use_sliding_window": True, "sliding_window": 64})
    )
    facts = inspect_folder(tmp_path, "a model", weights=False)
    kept = (0, 1, 20, 27, 28, 31)
    assert shaped_config(facts, replace(Shape.of(facts), layers=6), kept)["max_window_layers"] == 4
    assert "max_window_layers" not in shaped_config(replace(facts, config=config), Shape.of(facts))


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("llama", {"heads": 15}, "cannot share"),
        ("llama", {"ffn": 0}, "none of ffn"),
        ("qwen2", {"hidden": 448}, "448 is not 896"),
        ("qwen2", {"heads": 7, "kv_heads": 1}, "896 is not 448"),
    ],
)
def test_sizes_that_no_model_can_have_are_refused(
    kind: str, changes: dict[str, int], said: str, models: dict[str, ModelFacts]
) -> None:
    shape = replace(Shape.of(models[kind]), **changes)
    with pytest.raises(PlanError, match=said):
        facts_of(models[kind], shape)


def test_a_gguf_has_no_other_shapes(models: dict[str, ModelFacts]) -> None:
    facts = models["llama"]
    gguf = replace(facts, source=replace(facts.source, kind="gguf"))
    with pytest.raises(PlanError, match="Hugging Face folder"):
        parameters(gguf, Shape.of(gguf))


@pytest.mark.parametrize(("format", "scheme"), [("gguf", "Q4_K_M"), ("executorch", "8da4w"), ("onnx", "int4")])
@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_every_format_plans_a_shape_as_it_plans_the_model_that_has_it(
    kind: str, format: str, scheme: str, models: dict[str, ModelFacts], tmp_path: Path
) -> None:
    facts = models[kind]
    shape = replace(Shape.of(facts), layers=7, ffn=1536, heads=8, kv_heads=8 // Shape.of(facts).group)
    situation = planned(facts, format=format)
    changes: dict[str, Any] = {
        "num_hidden_layers": 7,
        "intermediate_size": 1536,
        "num_attention_heads": 8,
        "num_key_value_heads": shape.kv_heads,
    }
    if "layer_types" in CONFIGS[kind]:
        changes |= {"layer_types": ["full_attention"] * 7, "max_window_layers": 7}
    real = planned(shrinkable(tmp_path, kind, **changes), format=format)
    made = shaped(situation, shape)
    assert made.header == real.header
    assert made.layout == real.layout
    assert candidate(made, scheme) == candidate(real, scheme)


def test_a_smaller_shape_is_predicted_smaller_and_faster(models: dict[str, ModelFacts]) -> None:
    situation = planned(models["mistral"])
    whole = Shape.of(situation.facts)
    less = shaped(situation, replace(whole, layers=6))
    before, after = (candidate(one, "Q4_K_M").predictions for one in (situation, less))
    for name, smaller in (("artifact_bytes", True), ("peak_rss_bytes", True), ("decode_tok_s", False)):
        old, new = getattr(before, name), getattr(after, name)
        assert isinstance(old, Estimate) and isinstance(new, Estimate)
        assert (new.value < old.value) is smaller


def test_a_change_is_told_by_its_axes(models: dict[str, ModelFacts]) -> None:
    whole = Shape.of(models["llama"])
    after = replace(whole, layers=6, heads=8, kv_heads=2)
    assert told(whole, after) == (("layers", 8, 6), ("heads", 16, 8), ("kv_heads", 4, 2))
    assert words(whole, after) == "layers 8 -> 6, heads 16 -> 8, kv_heads 4 -> 2"
    assert words(whole, whole) == "as it is"


@pytest.mark.parametrize("kind", KINDS)
def test_transformers_makes_the_model_that_was_counted(kind: str, tmp_path: Path) -> None:
    torch: Any = pytest.importorskip("torch")
    transformers: Any = pytest.importorskip("transformers")
    changes: dict[str, Any] = {"vocab_size": 64}
    if kind == "qwen3":
        changes["layer_types"] = ["full_attention", "sliding_attention"] * 7
        changes |= {"use_sliding_window": True, "sliding_window": 16}
    facts = shrinkable(tmp_path, kind, **changes)
    whole = Shape.of(facts)
    groups = whole.kv_heads // 2
    heads = groups * whole.group
    hidden = heads * whole.head_dim if kind == "qwen2" else 768
    shape = replace(whole, layers=3, ffn=512, heads=heads, kv_heads=groups, hidden=hidden)
    config = transformers.AutoConfig.for_model(**dict(facts_of(facts, shape, (0, 2, 3)).config))
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    assert sum(weight.numel() for weight in model.parameters()) == parameters(facts, shape)
