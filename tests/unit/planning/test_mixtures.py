"""Mixtures of experts as they are planned: stacked tensors, header keys, what is active, and what takes none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gguf
import pytest
from tiny_models import MIXTURES, write_tiny_model

from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.profiles import load_profile
from edgeshrink.catalog.targets import load_target
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.reading import Estimate
from edgeshrink.core.request import Request
from edgeshrink.core.shape import Shape
from edgeshrink.errors import DataError, PlanError, UnsupportedModel
from edgeshrink.planning.estimate import bytes_per_token, repacked_bytes
from edgeshrink.planning.gguf_metadata import model_metadata
from edgeshrink.planning.layout import check_source, layout, parameter_count
from edgeshrink.planning.mixtures import active_bytes, active_elements
from edgeshrink.planning.resolve import Situation, candidates, plan_for
from edgeshrink.planning.shrink.shaped import facts_of


@pytest.fixture(scope="module", params=MIXTURES)
def mixture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> ModelFacts:
    return inspect_model(str(write_tiny_model(tmp_path_factory.mktemp("tiny") / "m", demo_model, request.param)))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> ModelFacts:
    return inspect_model(str(write_tiny_model(tmp_path_factory.mktemp("tiny") / "m", demo_model, "qwen2_moe")))


def situation(facts: ModelFacts, format: str) -> Situation:
    request = Request(model="m", target="laptop-cpu", format=format)
    return Situation(
        request,
        facts,
        load_target("laptop-cpu"),
        load_profile("jetson-orin-nano-8gb"),
        layout(facts),
        model_metadata(facts, file_type=0, name="m"),
        0,
        None,
        on_this_host=False,
    )


def test_the_experts_of_a_layer_are_one_tensor_of_all_their_matrices(mixture: ModelFacts) -> None:
    plans, experts = layout(mixture), mixture.experts
    check_source(mixture, plans)
    assert experts is not None
    stacked = {plan.name: plan for plan in plans if plan.experts}
    assert stacked.keys() == {f"blk.{b}.ffn_{part}_exps.weight" for b in (0, 1) for part in ("gate", "up", "down")}
    hidden, ffn = mixture.hidden_size, experts.ffn
    assert stacked["blk.1.ffn_up_exps.weight"].shape == (experts.count, ffn, hidden)
    assert stacked["blk.1.ffn_down_exps.weight"].shape == (experts.count, hidden, ffn)
    down = stacked["blk.1.ffn_down_exps.weight"].sources
    assert down[3].startswith("model.layers.1.") and ".experts.3." in down[3] and len(down) == experts.count
    routers = [plan for plan in plans if plan.name.endswith("ffn_gate_inp.weight")]
    assert [(plan.type, plan.why) for plan in routers] == [("F32", "a router")] * 2
    assert parameter_count(mixture) == sum(plan.elements for plan in plans)


def test_every_name_is_one_that_the_architecture_has(mixture: ModelFacts) -> None:
    metadata = {entry.key: entry.value for entry in model_metadata(mixture, file_type=0, name="m")}
    arch = next(a for a, name in gguf.MODEL_ARCH_NAMES.items() if name == metadata["general.architecture"])
    known = {gguf.TENSOR_NAMES[tensor].format(bid=0) for tensor in gguf.MODEL_TENSORS[arch]}
    ours = {plan.name.rsplit(".", 1)[0].replace("blk.1.", "blk.0.") for plan in layout(mixture)}
    assert ours <= known


def test_the_header_says_how_many_experts_there_are_and_how_wide(shared: ModelFacts) -> None:
    found = {entry.key: entry.value for entry in model_metadata(shared, file_type=0, name="m")}
    keys = ("expert_count", "expert_used_count", "expert_feed_forward_length", "expert_shared_feed_forward_length")
    assert [found[f"qwen2moe.{key}"] for key in keys] == [8, 3, 64, 96]
    assert str(found["general.size_label"]).startswith("8x")


def test_an_expert_that_is_missing_is_named(shared: ModelFacts) -> None:
    name = "model.layers.1.mlp.experts.5.up_proj.weight"
    without = replace(shared, tensors=tuple(tensor for tensor in shared.tensors if tensor.name != name))
    with pytest.raises(DataError, match=r"layers\.1\.mlp\.experts\.5\.up_proj"):
        check_source(without, layout(without))


def test_what_is_active_leaves_out_experts_that_are_not_used(shared: ModelFacts) -> None:
    plans, experts = layout(shared), shared.experts
    assert experts is not None
    idle = 2 * 5 * 3 * 64 * 64  # layers, experts, matrices, ffn, hidden
    assert active_elements(plans, experts) == parameter_count(shared) - idle
    assert active_bytes(plans, experts) == sum(plan.nbytes for plan in plans) - 4 * idle
    table = next(plan for plan in plans if plan.name == "token_embd.weight")
    assert bytes_per_token(plans, experts) == active_bytes(plans, experts) - table.nbytes
    assert active_bytes(plans, None) == sum(plan.nbytes for plan in plans)


def test_decoding_is_predicted_by_what_is_active_and_memory_by_all(shared: ModelFacts) -> None:
    assert shared.experts is not None
    all_used = replace(shared, experts=replace(shared.experts, used=8))
    few, many = (candidates(situation(facts, "gguf"))[-1] for facts in (shared, all_used))
    assert few.active_bytes is not None and many.active_bytes is not None and few.active_bytes < many.active_bytes
    assert few.predictions.artifact_bytes == many.predictions.artifact_bytes
    speeds = [one.predictions.decode_tok_s for one in (few, many)]
    assert isinstance(speeds[0], Estimate) and isinstance(speeds[1], Estimate) and speeds[0].value > speeds[1].value
    notes = " ".join(plan_for(situation(shared, "gguf"), "Q8_0").notes)
    assert "3 of 8 experts a layer, beside a shared one, 661K of 784K parameters" in notes


def test_the_second_copy_of_experts_goes_by_the_rows_of_one(shared: ModelFacts) -> None:
    plan = next(plan for plan in layout(shared) if plan.experts)
    even, odd = (replace(plan, shape=(5, rows, 256), type="Q4_K") for rows in (64, 60))
    assert repacked_bytes((even,), ("avx2",)) == even.nbytes
    assert repacked_bytes((odd,), ("avx2",)) == 0


@pytest.mark.parametrize(("format", "name"), [("onnx", "ONNX"), ("executorch", "ExecuTorch")])
def test_formats_that_take_no_mixture_say_which_does(format: str, name: str, shared: ModelFacts) -> None:
    with pytest.raises(UnsupportedModel, match=f"built as GGUF, not as {name}") as caught:
        candidates(situation(shared, format))
    assert "--format gguf" in caught.value.hint


def test_a_mixture_is_not_pruned_by_the_axes_of_a_dense_model(shared: ModelFacts) -> None:
    with pytest.raises(PlanError, match="smaller by its experts") as caught:
        facts_of(shared, replace(Shape.of(shared), layers=1))
    assert "--experts" in caught.value.hint
