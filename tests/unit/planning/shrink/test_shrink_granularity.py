"""Steps of widths that keep rows whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from shrunk_models import planned, shrinkable

from edgeshrink.core.quant_types import storage_type
from edgeshrink.core.shape import Shape
from edgeshrink.planning.resolve import candidate
from edgeshrink.planning.shrink.granularity import block, granularity, widths
from edgeshrink.planning.shrink.shaped import shaped


@pytest.mark.parametrize(
    ("format", "schemes", "expected"),
    [
        ("gguf", ("Q4_K_M",), 256),
        ("gguf", ("IQ4_XS",), 256),
        ("gguf", ("Q8_0",), 32),
        ("gguf", ("F16",), 32),
        ("gguf", ("Q8_0", "Q2_K"), 256),
        ("executorch", ("8da4w",), 32),
        ("executorch", ("fp32",), 32),
        ("onnx", ("int4",), 32),
    ],
)
@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_the_block_is_the_largest_of_any_type_of_the_schemes(
    kind: str, format: str, schemes: tuple[str, ...], expected: int, tmp_path: Path
) -> None:
    # Its own rows of 896 take no K-quant: what counts is what larger rows would take.
    assert block(planned(shrinkable(tmp_path, kind), format=format), schemes) == expected


def test_the_block_follows_a_formats_parameters(tmp_path: Path) -> None:
    situation = planned(shrinkable(tmp_path, "llama"), format="executorch")
    entry = situation.target.formats["executorch"].model_copy(update={"parameters": {"group_size": 128}})
    formats = {**situation.target.formats, "executorch": entry}
    object.__setattr__(situation, "target", situation.target.model_copy(update={"formats": formats}))
    assert block(situation, ("8da4w",)) == 128


def test_wide_models_shrink_by_whole_blocks(tmp_path: Path) -> None:
    steps = granularity(shrinkable(tmp_path, "llama"), 256)
    assert (steps.ffn, steps.hidden, steps.groups, steps.notes) == (256, 256, 1, ())


def test_a_model_too_small_for_a_choice_shrinks_by_less_and_says_so(demo_model: Path, tmp_path: Path) -> None:
    facts = shrinkable(tmp_path, "llama", hidden_size=256, intermediate_size=768, num_attention_heads=4)
    steps = granularity(facts, 256)
    assert (steps.ffn, steps.hidden) == (32, 32)
    assert ["feed-forward" in steps.notes[0], "hidden width" in steps.notes[1]] == [True, True]
    assert "768 is too small" in steps.notes[0]


def test_a_model_of_odd_width_can_still_shrink(tmp_path: Path) -> None:
    steps = granularity(shrinkable(tmp_path, "llama", hidden_size=24, intermediate_size=20), 256)
    assert widths(24, steps.hidden, 0.5)[1:] == (16,)
    assert widths(20, steps.ffn, 0.25)[1:] == (16,)


@pytest.mark.parametrize(
    ("heads", "groups", "dim", "step"),
    [
        (16, 4, 64, 1),
        (32, 32, 64, 4),
        (32, 32, 128, 2),
        (14, 2, 64, 1),
        (16, 16, 80, 2),
        (16, 16, 16, 2),
        (2, 2, 16, 1),
    ],
)
def test_heads_go_by_as_many_groups_as_make_whole_rows(
    heads: int, groups: int, dim: int, step: int, tmp_path: Path
) -> None:
    facts = shrinkable(
        tmp_path, "llama", num_attention_heads=heads, num_key_value_heads=groups, head_dim=dim, hidden_size=1024
    )
    found = granularity(facts, 256)
    row = found.groups * heads // groups * dim
    assert found.groups == step
    assert any("heads by" in note for note in found.notes) is (row % 256 != 0)


def test_widths_go_down_to_their_floor_and_not_below() -> None:
    assert widths(1024, 256, 0.5) == (1024, 768, 512)
    assert widths(1000, 256, 0.25) == (1000, 768, 512, 256)
    assert widths(1025, 256, 0.25) == (1025, 1024, 768, 512)
    assert widths(64, 256, 0.25) == (64,)


@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen3"])
def test_widths_of_whole_steps_leave_no_matrix_to_a_smaller_block(kind: str, tmp_path: Path) -> None:
    facts = shrinkable(tmp_path, kind)
    situation = planned(facts)
    steps = granularity(facts, block(situation, ("Q4_K_M",)))
    whole = Shape.of(facts)
    shape = Shape(
        layers=2,
        hidden=whole.hidden - steps.hidden,
        ffn=whole.ffn - steps.ffn,
        heads=(whole.kv_heads - steps.groups) * whole.group,
        kv_heads=whole.kv_heads - steps.groups,
        head_dim=whole.head_dim,
        vocab=whole.vocab,
    )
    made = shaped(situation, shape)
    matrices = [tensor for tensor in made.planner.tensors(made, "Q4_K_M") if len(tensor.shape) > 1]
    assert {storage_type(tensor.type).block_elements for tensor in matrices} == {256}
    assert candidate(made, "Q4_K_M").bits_per_weight < 6
