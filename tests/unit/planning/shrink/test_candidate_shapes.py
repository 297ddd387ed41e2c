"""The shapes worth measuring for a goal: all hold it, none could be larger by a step, none is below a floor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shrunk_models import KINDS, planned, shrinkable

from edgeshrink.core.budget import Budget
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.reading import Estimate
from edgeshrink.core.shape import Shape
from edgeshrink.errors import PlanError
from edgeshrink.planning.resolve import Situation, candidate
from edgeshrink.planning.shrink.axes import AXES, Axis, told
from edgeshrink.planning.shrink.goals import Goal, refuse_zeros
from edgeshrink.planning.shrink.granularity import Granularity, block, granularity
from edgeshrink.planning.shrink.shaped import check_shape, parameters, shaped
from edgeshrink.planning.shrink.shapes import candidate_shapes

_CHANGED: dict[Axis, set[str]] = {
    "depth": {"layers"},
    "ffn": {"ffn"},
    "heads": {"heads", "kv_heads"},
    "hidden": {"hidden"},
}


def steps_up(shape: Shape, whole: Shape, steps: Granularity, axes: tuple[Axis, ...], joint: bool) -> list[Shape]:
    """`shape` with each axis one step larger, as far as the model has it; written anew."""
    found = []
    if "depth" in axes:
        found.append(replace(shape, layers=shape.layers + 1))
    if "ffn" in axes:
        found.append(replace(shape, ffn=min((shape.ffn // steps.ffn + 1) * steps.ffn, whole.ffn)))
    if "heads" in axes and not joint:
        groups = min((shape.kv_heads // steps.groups + 1) * steps.groups, whole.kv_heads)
        found.append(replace(shape, kv_heads=groups, heads=groups * whole.group))
    if "hidden" in axes and not joint:
        found.append(replace(shape, hidden=min((shape.hidden // steps.hidden + 1) * steps.hidden, whole.hidden)))
    names = ("layers", "ffn", "heads", "hidden")
    return [one for one in found if one != shape and all(getattr(one, n) <= getattr(whole, n) for n in names)]


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    share=st.floats(0.3, 0.97),
    axes=st.sets(st.sampled_from(AXES), min_size=1).map(tuple),
    large=st.booleans(),
)
def test_every_shape_for_a_share_is_below_it_as_large_as_it_can_be_and_above_the_floors(
    models: dict[str, ModelFacts], kind: str, share: float, axes: tuple[Axis, ...], large: bool
) -> None:
    facts = models[kind]
    whole, steps = Shape.of(facts), granularity(facts, 256 if large else 32)
    joint = kind == "qwen2"
    if joint and ("heads" in axes) != ("hidden" in axes):
        with pytest.raises(PlanError, match="hidden width of heads"):
            candidate_shapes(facts, Goal(share=share), steps, axes)
        return
    total = parameters(facts, whole)
    try:
        found = candidate_shapes(facts, Goal(share=share), steps, axes)
    except PlanError as error:
        assert "out of reach" in error.message
        return
    allowed = set().union(*(_CHANGED[axis] for axis in axes))
    assert 1 <= len(found) <= 12
    assert len(set(found)) == len(found)
    counts = [parameters(facts, shape) for shape in found]
    assert min(counts) >= 0.9 * max(counts)
    for shape, count in zip(found, counts, strict=True):
        check_shape(facts, shape)
        changed = {name for name, _, _ in told(whole, shape)}
        assert changed <= allowed
        assert count <= share * total
        assert shape.layers >= 1 and shape.kv_heads >= 1
        assert shape.ffn >= whole.ffn / 4 and shape.hidden >= whole.hidden / 2
        assert shape.ffn in (whole.ffn, shape.ffn // steps.ffn * steps.ffn)
        if not joint:
            assert shape.hidden in (whole.hidden, shape.hidden // steps.hidden * steps.hidden)
        moved: tuple[Axis, ...] = tuple(axis for axis in axes if _CHANGED[axis] & changed)
        for larger in steps_up(shape, whole, steps, moved, joint):
            assert parameters(facts, larger) > share * total


def test_axes_alone_and_mixes_are_among_them(tmp_path: Path) -> None:
    facts = shrinkable(tmp_path, "llama", num_hidden_layers=12)
    whole = Shape.of(facts)
    found = candidate_shapes(facts, Goal(share=0.7), granularity(facts, 32))
    axes = [frozenset(name for name, _, _ in told(whole, shape)) - {"heads"} for shape in found]
    assert frozenset({"ffn"}) == axes[0]
    assert {frozenset({"layers"}), frozenset({"hidden"}), frozenset({"layers", "hidden", "ffn", "kv_heads"})} <= set(
        axes
    )
    total = parameters(facts, whole)
    assert all(0.63 <= parameters(facts, shape) / total <= 0.7 for shape in found)


def test_a_mix_takes_equal_shares_of_its_axes(models: dict[str, ModelFacts]) -> None:
    facts = models["qwen3"]
    whole = Shape.of(facts)
    shapes = candidate_shapes(facts, Goal(share=0.6), Granularity(32, 32), ("depth", "ffn"))
    mixed = next(shape for shape in shapes if len(told(whole, shape)) == 2)
    assert abs(mixed.layers / whole.layers - mixed.ffn / whole.ffn) < 1.5 / whole.layers


def test_qwen2_loses_heads_and_hidden_width_together(models: dict[str, ModelFacts]) -> None:
    facts = models["qwen2"]
    shapes = candidate_shapes(facts, Goal(share=0.45), granularity(facts, 256))
    assert any(shape.hidden < 896 for shape in shapes)
    assert all(shape.heads * shape.head_dim == shape.hidden for shape in shapes)


def test_an_axis_that_a_grid_cuts_too_deep_stands_where_nothing_else_was_asked_for(tmp_path: Path) -> None:
    facts = shrinkable(tmp_path, "llama", num_hidden_layers=5, vocab_size=4096)
    (only,) = candidate_shapes(facts, Goal(share=0.75), granularity(facts, 256), ("depth",))
    assert only.layers == 3


def test_what_is_out_of_reach_names_the_nearest_share(models: dict[str, ModelFacts]) -> None:
    facts = models["qwen2"]
    with pytest.raises(PlanError, match=r"to 5.0% .* out of reach") as caught:
        candidate_shapes(facts, Goal(share=0.05), granularity(facts, 256))
    nearest = float(caught.value.hint.split()[2])
    assert candidate_shapes(facts, Goal(share=nearest + 0.001), granularity(facts, 256))


def test_less_than_a_share_is_never_kept_where_one_is_named(models: dict[str, ModelFacts]) -> None:
    facts = models["llama"]
    situation = planned(facts)
    whole, total = Shape.of(facts), parameters(facts, Shape.of(facts))
    goal = Goal(artifact_bytes=0.3 * value(situation, whole, "Q8_0", "artifact_bytes"), scheme="Q8_0")
    steps = granularity(facts, 32)
    low = candidate_shapes(facts, goal, steps, situation=situation)
    assert min(parameters(facts, shape) for shape in low) < 0.4 * total
    with pytest.raises(PlanError, match="even with the least"):
        candidate_shapes(facts, goal, steps, situation=situation, least=0.4)


@pytest.mark.parametrize("share", [0.0, 1.0, 1.5, -0.2])
def test_a_share_is_between_nothing_and_all(share: float, models: dict[str, ModelFacts]) -> None:
    with pytest.raises(PlanError, match="no share"):
        candidate_shapes(models["llama"], Goal(share=share), Granularity())


def test_no_goal_and_no_axis_are_refused(models: dict[str, ModelFacts]) -> None:
    with pytest.raises(PlanError, match="no goal"):
        candidate_shapes(models["llama"], Goal(), Granularity())
    with pytest.raises(PlanError, match="nothing to prune"):
        candidate_shapes(models["llama"], Goal(share=0.5), Granularity(), ())
    with pytest.raises(PlanError, match="target and a scheme"):
        candidate_shapes(models["llama"], Goal(artifact_bytes=1e6, scheme="Q8_0"), Granularity())


def value(situation: Situation, shape: Shape, scheme: str, name: str) -> float:
    found = getattr(candidate(shaped(situation, shape), scheme).predictions, name)
    assert isinstance(found, Estimate)
    return found.value


@pytest.mark.parametrize(
    ("kind", "format", "scheme"),
    [
        ("llama", "gguf", "Q4_K_M"),
        ("qwen2", "gguf", "Q8_0"),
        ("mistral", "executorch", "8da4w"),
        ("llama-biased", "onnx", "int4"),
    ],
)
def test_every_shape_for_a_file_size_makes_a_file_of_at_most_that(
    kind: str, format: str, scheme: str, models: dict[str, ModelFacts]
) -> None:
    facts = models[kind]
    situation = planned(facts, format=format)
    limit = 0.7 * value(situation, Shape.of(facts), scheme, "artifact_bytes")
    steps = granularity(facts, block(situation, (scheme,)))
    found = candidate_shapes(facts, Goal(artifact_bytes=limit, scheme=scheme), steps, situation=situation)
    sizes = [value(situation, shape, scheme, "artifact_bytes") for shape in found]
    assert len(sizes) > 1 and max(sizes) <= limit
    assert max(sizes) > 0.93 * limit


@pytest.mark.parametrize(("name", "factor"), [("peak_rss_bytes", 0.8), ("decode_tok_s", 1.4)])
def test_memory_and_speed_are_goals_too(name: str, factor: float, models: dict[str, ModelFacts]) -> None:
    facts = models["mistral"]
    situation = planned(facts)
    limit = factor * value(situation, Shape.of(facts), "Q8_0", name)
    goal = Goal(**{name: limit}, scheme="Q8_0")
    found = candidate_shapes(facts, goal, granularity(facts, 32), situation=situation)
    for shape in found:
        reached = value(situation, shape, "Q8_0", name)
        assert reached >= limit if name == "decode_tok_s" else reached <= limit


def test_a_share_and_limits_hold_together(models: dict[str, ModelFacts]) -> None:
    facts = models["llama"]
    situation = planned(facts)
    limit = 0.9 * value(situation, Shape.of(facts), "Q8_0", "artifact_bytes")
    goal = Goal(share=0.5, artifact_bytes=limit, scheme="Q8_0")
    total = parameters(facts, Shape.of(facts))
    found = candidate_shapes(facts, goal, granularity(facts, 32), situation=situation)
    assert all(parameters(facts, shape) <= 0.5 * total for shape in found)


def test_rows_off_a_large_block_are_counted_at_what_they_cost(tmp_path: Path) -> None:
    """A hidden width of 224 takes Q5_0 and Q8_0 where 256 takes Q4_K: the file grows, so it is no candidate."""
    facts = shrinkable(
        tmp_path, "llama", hidden_size=256, intermediate_size=768, num_attention_heads=4, num_key_value_heads=2
    )
    situation = planned(facts)
    whole = Shape.of(facts)
    before = value(situation, whole, "Q4_K_M", "artifact_bytes")
    assert value(situation, replace(whole, hidden=224), "Q4_K_M", "artifact_bytes") > 0.97 * before
    goal = Goal(artifact_bytes=0.95 * before, scheme="Q4_K_M")
    steps = granularity(facts, 256)
    assert steps.hidden == 32
    found = candidate_shapes(facts, goal, steps, situation=situation)
    assert all(shape.hidden != 224 for shape in found)


def test_a_limit_that_the_model_meets_needs_no_pruning(models: dict[str, ModelFacts]) -> None:
    with pytest.raises(PlanError, match="as it is"):
        candidate_shapes(
            models["llama"], Goal(artifact_bytes=1e12, scheme="F16"), Granularity(), situation=planned(models["llama"])
        )


def test_a_limit_out_of_reach_names_the_nearest(models: dict[str, ModelFacts]) -> None:
    situation = planned(models["llama"])
    with pytest.raises(PlanError, match="file over the budget even with the least") as caught:
        candidate_shapes(
            models["llama"],
            Goal(artifact_bytes=1000, scheme="Q2_K"),
            granularity(models["llama"]),
            situation=situation,
        )
    assert "a file of " in caught.value.hint


def test_a_speed_that_nobody_can_predict_is_no_goal(models: dict[str, ModelFacts]) -> None:
    situation = replace(planned(models["llama"]), on_this_host=True)
    with pytest.raises(PlanError, match="not calibrated"):
        candidate_shapes(models["llama"], Goal(decode_tok_s=5, scheme="Q8_0"), Granularity(), situation=situation)


def test_a_budget_is_a_goal() -> None:
    budget = Budget.model_validate({"artifact_bytes_max": "2MiB", "decode_tok_s_min": 30})
    goal = Goal.of_budget(budget, "Q4_K_M")
    assert goal == Goal(artifact_bytes=2 * 2**20, decode_tok_s=30, scheme="Q4_K_M")
    assert goal.limits == (("artifact_bytes", 2 * 2**20), ("decode_tok_s", 30))
    assert goal.budget == budget


@pytest.mark.parametrize("limit", ["decode_tok_s", "ttft_p95_ms", "artifact_bytes", "peak_rss_bytes"])
def test_zeros_bring_neither_speed_nor_smaller_files(limit: str) -> None:
    refuse_zeros(Goal(share=0.5), "wanda")
    with pytest.raises(PlanError, match=r"wanda sets weights to zero .*(no runtime here is faster|as large as before)"):
        refuse_zeros(Goal(**{limit: 10.0}, scheme="Q8_0"), "wanda")


def test_a_search_adds_up_the_same_bytes_as_a_plan(models: dict[str, ModelFacts]) -> None:
    """It stands in for the vocabulary by one value of its size: a limit of exactly a shape's bytes is met by it."""
    facts = models["mistral"]
    situation = planned(facts)
    shape = replace(Shape.of(facts), layers=6)
    exact = value(situation, shape, "Q8_0", "artifact_bytes")
    for limit, layers in ((exact, 6), (exact - 1, 5)):
        goal = Goal(artifact_bytes=limit, scheme="Q8_0")
        (found,) = candidate_shapes(facts, goal, Granularity(), ("depth",), situation=situation)
        assert found.layers == layers
