"""Which parts stay, and which cuts are refused before a weight is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.compress.prune.cuts import check_cut
from edgeshrink.compress.prune.cutting import cut_config
from edgeshrink.compress.prune.scores import Scores
from edgeshrink.compress.prune.selecting import cut_of
from edgeshrink.core.model import ModelFacts, ModelSource
from edgeshrink.core.shape import Cut, Shape
from edgeshrink.errors import PlanError

BEFORE = Shape(layers=4, hidden=8, ffn=6, heads=4, kv_heads=2, head_dim=2, vocab=100)
SCORES = Scores(
    shape=BEFORE,
    tokens=1000,
    text_sha256="",
    methods=("block-influence", "measured-kl", "ffn", "heads", "hidden"),
    layers=np.array([0.9, 0.1, 0.3, 0.2]),
    order=(3, 1),
    order_kl=(0.1, 0.4),
    ffn=np.array([[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1], [1, 6, 2, 5, 3, 4], [2, 2, 2, 2, 2, 2]], dtype=np.float64),
    groups=np.array([[1, 2], [2, 1], [1, 2], [3, 3]], dtype=np.float64),
    hidden=np.array([8, 1, 7, 2, 6, 3, 5, 4], dtype=np.float64),
)


def facts(model_type: str = "llama", kind: Any = "huggingface", **config: Any) -> ModelFacts:
    return ModelFacts(
        source=ModelSource(kind, Path("/nowhere"), "nowhere"),
        model_type=model_type,
        n_layers=4,
        hidden_size=8,
        ffn_size=6,
        n_heads=4,
        n_kv_heads=2,
        head_dim=2,
        vocab_size=100,
        context_length=64,
        rms_norm_eps=1e-5,
        rope_theta=10000.0,
        rope_scaling=None,
        tied_embeddings=False,
        dtype="F32",
        config={"model_type": model_type, **config},
    )


def whole() -> Cut:
    return cut_of(SCORES, BEFORE, BEFORE)


def test_the_highest_of_each_kept_layer_stay() -> None:
    cut = cut_of(SCORES, replace(BEFORE, layers=2, ffn=3, heads=2, kv_heads=1, hidden=4), BEFORE)
    assert cut == Cut(layers=(0, 2), ffn=((3, 4, 5), (1, 3, 5)), groups=((1,), (1,)), hidden=(0, 2, 4, 6))


def test_of_equal_scores_the_first_stay() -> None:
    cut = cut_of(SCORES, replace(BEFORE, ffn=2, heads=2, kv_heads=1), BEFORE)
    assert (cut.ffn[3], cut.groups[3]) == ((0, 1), (0,))


def test_measured_layers_leave_in_their_order() -> None:
    assert cut_of(SCORES, replace(BEFORE, layers=3), BEFORE, "measured-kl").layers == (0, 1, 2)
    assert cut_of(SCORES, replace(BEFORE, layers=2), BEFORE, "measured-kl").layers == (0, 2)
    with pytest.raises(PlanError, match="ordered 2 layers for removal, 3"):
        cut_of(SCORES, replace(BEFORE, layers=1), BEFORE, "measured-kl")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"layers": 5}, "layers 5"),
        ({"ffn": 0}, "ffn 0"),
        ({"head_dim": 1}, "size of a head"),
        ({"vocab": 50}, "vocabulary"),
        ({"heads": 3}, "groups of 2 stay whole"),
    ],
)
def test_what_is_no_part_of_the_model_is_refused(changes: dict[str, int], word: str) -> None:
    with pytest.raises(PlanError, match=word):
        cut_of(SCORES, replace(BEFORE, **changes), BEFORE)


@pytest.mark.parametrize(
    ("missing", "changes", "word"),
    [("layers", {"layers": 3}, "block-influence"), ("ffn", {"ffn": 3}, "ffn"), ("hidden", {"hidden": 4}, "hidden")],
)
def test_what_was_not_scored_cannot_be_cut(missing: str, changes: dict[str, int], word: str) -> None:
    scores = replace(SCORES, **{missing: None})
    with pytest.raises(PlanError, match=f"{word} was not asked"):
        cut_of(scores, replace(BEFORE, **changes), BEFORE)
    assert cut_of(scores, BEFORE, BEFORE) == whole()  # nothing is cut there: nothing is asked


def test_scores_of_another_model_are_refused() -> None:
    with pytest.raises(PlanError, match="another shape"):
        cut_of(SCORES, replace(BEFORE, layers=2), replace(BEFORE, layers=3))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"layers": ()}, "layers"),
        ({"layers": (0, 2, 1, 3)}, "layers"),
        ({"hidden": (0, 8)}, "hidden"),
        ({"ffn": ((0, 1),) * 3}, "3 rows of ffn for 4 layers"),
        ({"groups": ((0,), (0, 1), (0,), (1,))}, "differently many groups"),
        ({"ffn": ((0,), (0,), (0,), (0, 0))}, "ffn of layer 3"),
    ],
)
def test_a_cut_that_is_no_part_of_the_model_is_refused(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(PlanError, match=word):
        check_cut(facts(), replace(whole(), **changes))


def test_qwen2_loses_heads_and_hidden_channels_together_or_not_at_all() -> None:
    narrow = replace(whole(), hidden=(0, 1, 2, 3))
    with pytest.raises(PlanError, match=r"heads \* head_dim only: 4 is not 8"):
        check_cut(facts("qwen2"), narrow)
    check_cut(facts("qwen2"), replace(narrow, groups=((0,),) * 4))
    check_cut(facts("llama"), narrow)


def test_a_gguf_is_refused() -> None:
    with pytest.raises(PlanError, match="not a GGUF"):
        check_cut(facts(kind="gguf"), whole())


def test_what_the_configuration_says_by_layer_follows_the_layers() -> None:
    kinds = ["full_attention", "full_attention", "sliding_attention", "sliding_attention"]
    config = {"layer_types": kinds, "use_sliding_window": True, "max_window_layers": 2, "rope_theta": 5.0}
    told = cut_config(facts("qwen3", **config), cut_of(SCORES, replace(BEFORE, layers=2, ffn=3), BEFORE))
    assert told["layer_types"] == ["full_attention", "sliding_attention"]
    assert (told["max_window_layers"], told["num_hidden_layers"], told["intermediate_size"]) == (1, 2, 3)
    assert (told["rope_theta"], told["head_dim"], told["hidden_size"]) == (5.0, 2, 8)
