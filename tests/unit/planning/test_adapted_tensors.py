"""Where an adapter's updates belong in a model: none is dropped in silence, and none lands in another layer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from low_rank import ALL, write_random_adapter
from tiny_models import write_tiny_model

from edgeshrink.catalog.adapters import read_adapter
from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.core.adapter import Adapter, LowRank
from edgeshrink.core.model import ModelFacts
from edgeshrink.errors import DataError
from edgeshrink.planning.adapters import adapted_tensors, adapter_plan, check_targets, trained_parameters


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("adapted")
    write_tiny_model(folder / "base", demo_model)
    return folder


@pytest.fixture(scope="module")
def base(folder: Path) -> ModelFacts:
    return inspect_folder(folder / "base", "tiny")


@pytest.fixture(scope="module")
def adapter(folder: Path) -> Adapter:
    return read_adapter(write_random_adapter(folder / "every", folder / "base"))


def test_rows_of_queries_and_keys_are_turned_in_one_half_alone(base: ModelFacts, adapter: Adapter) -> None:
    plans = {plan.name: plan for plan in adapter_plan(base, adapter)}

    assert len(plans) == 2 * 2 * len(ALL)
    assert {name for name, plan in plans.items() if plan.transform == "rope_permute"} == {
        f"blk.{layer}.attn_{letter}.weight.lora_b" for layer in (0, 1) for letter in "qk"
    }
    assert plans["blk.1.ffn_down.weight.lora_a"].shape == (4, 128)
    assert plans["blk.1.attn_k.weight.lora_b"].shape == (32, 4)
    assert plans["blk.1.attn_k.weight.lora_b"].heads == 2


def test_a_gguf_of_the_base_names_them_alike(base: ModelFacts, adapter: Adapter) -> None:
    gguf = replace(base, source=replace(base.source, kind="gguf"), tensors=())

    assert [plan.name for plan in adapted_tensors(gguf, adapter)] == [
        plan.name for plan in adapted_tensors(base, adapter)
    ]


def test_another_base_is_refused(base: ModelFacts, adapter: Adapter, demo_model: Path) -> None:
    with pytest.raises(DataError, match=r"as \[64, 128\], the model's is \[256, 768\]"):
        adapted_tensors(inspect_folder(demo_model, "demo"), adapter)
    with pytest.raises(DataError, match=r"updates model\.layers\.1\..*, which the model does not have"):
        adapted_tensors(replace(base, n_layers=1), adapter)


def test_what_is_trained_is_what_the_folder_holds(base: ModelFacts, adapter: Adapter, folder: Path) -> None:
    assert trained_parameters(base, 4, ()) == adapter.parameters
    some = read_adapter(write_random_adapter(folder / "some", folder / "base", rank=2, targets=("v_proj", "up_proj")))
    assert trained_parameters(base, 2, ("v_proj", "up_proj")) == some.parameters


def test_layers_that_are_not_there_are_named(base: ModelFacts) -> None:
    check_targets(base, ("q_proj", "down_proj"))
    with pytest.raises(DataError, match="no linear layer query") as refused:
        check_targets(base, ("q_proj", "query"))
    assert "q_proj, k_proj, v_proj, o_proj" in refused.value.hint


def test_the_embedding_is_no_linear_layer(base: ModelFacts, adapter: Adapter) -> None:
    a, b = adapter.updates[0].a, adapter.updates[0].b
    table = LowRank("model.embed_tokens.weight", replace(a, shape=(4, 64)), replace(b, shape=(4096, 4)))

    with pytest.raises(DataError, match=r"updates model\.embed_tokens\.weight, which is a table"):
        adapted_tensors(base, replace(adapter, updates=(table,)))
