"""Which experts stay, which become one, and which cuts are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import squareform

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.prune.experts.alignment import assignment, channel_order
from edgeshrink.compress.prune.experts.combining import combined
from edgeshrink.compress.prune.experts.cut import ExpertCut, NewExpert, check_expert_cut, expert_cut_json, expert_cut_of
from edgeshrink.compress.prune.experts.dropping import dropped, narrowed
from edgeshrink.compress.prune.experts.merging import clusters, merged
from edgeshrink.errors import PlanError, UsageError


def test_the_highest_of_each_layer_stay_in_their_order() -> None:
    cut = dropped(np.array([[3.0, 1.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0]]), 2)
    assert [[one.members for one in layer] for layer in cut.layers] == [[(0,), (2,)], [(0,), (1,)]]


def test_the_highest_channels_of_every_expert_stay() -> None:
    cut = narrowed(np.array([[[1.0, 3.0, 2.0], [5.0, 0.0, 4.0]]]), 2)
    assert cut.layers == ((NewExpert((0,), channels=(1, 2)), NewExpert((1,), channels=(0, 2))),)


@pytest.mark.parametrize("kept", [1, 2, 4, 7, 9])
def test_clusters_are_those_of_average_linkage(kept: int) -> None:
    points = np.random.default_rng(5).normal(size=(9, 3))
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    labels = fcluster(linkage(squareform(apart, checks=False), "average"), kept, "maxclust")
    expected = {tuple(np.flatnonzero(labels == label)) for label in set(labels)}
    assert set(clusters(apart, kept)) == expected


def test_a_merged_expert_is_led_by_the_highest_and_shared_by_tokens() -> None:
    apart = np.array([[[0.0, 1.0, 9.0], [1.0, 0.0, 9.0], [9.0, 9.0, 0.0]]])
    cut = merged(apart, np.array([[1.0, 2.0, 3.0]]), np.array([[30.0, 10.0, 5.0]]), 2)
    assert cut.layers == ((NewExpert((1, 0), (0.25, 0.75)), NewExpert((2,), (1.0,))),)


def test_experts_that_no_token_reaches_share_evenly() -> None:
    cut = merged(np.zeros((1, 2, 2)), np.zeros((1, 2)), np.zeros((1, 2)), 1)
    assert cut.layers[0][0].shares == (0.5, 0.5)


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_the_assignment_costs_what_the_best_one_costs(size: int) -> None:
    costs = np.random.default_rng(size).normal(size=(size, size))
    found = assignment(costs)
    rows, columns = linear_sum_assignment(costs)
    assert sorted(found) == list(range(size))
    assert costs[np.arange(size), found].sum() == pytest.approx(costs[rows, columns].sum())


def test_an_expert_and_its_shuffled_copy_become_that_expert() -> None:
    random = np.random.default_rng(0)
    gate, up, down = (random.normal(size=shape).astype(np.float32) for shape in ((12, 5), (12, 5), (5, 12)))
    order = random.permutation(12)
    copy = gate[order], up[order], down[:, order]
    assert list(order[channel_order((gate, up, down), copy)]) == list(range(12))
    found = combined(NewExpert((0, 1), (0.25, 0.75)), lambda member: copy if member else (gate, up, down))
    for part, whole in zip(found, (gate, up, down), strict=True):
        np.testing.assert_allclose(part, whole, rtol=1e-6)


def test_a_cut_crosses_as_json_and_comes_back() -> None:
    cut = ExpertCut(((NewExpert((1, 0), (0.25, 0.75)), NewExpert((2,), channels=(0, 3))),))
    assert expert_cut_of(expert_cut_json(cut)) == cut


_EIGHT = tuple(NewExpert((number,)) for number in range(8))


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((_EIGHT,), "every layer"),
        ((_EIGHT, _EIGHT[:4]), "equally many"),
        ((_EIGHT[:1], _EIGHT[:1]), "asks 2 of 8"),
        ((_EIGHT, (*_EIGHT[:7], NewExpert((8,)))), "experts 0 to 7"),
        ((_EIGHT, (*_EIGHT[:7], NewExpert((7, 6), (0.5, 0.4)))), "add up to 1"),
        ((_EIGHT, (*_EIGHT[:7], NewExpert((7,), channels=(1, 2)))), "equally many channels"),
        ((tuple(replace(one, channels=(5, 4)) for one in _EIGHT),) * 2, "ascending"),
        ((tuple(replace(one, channels=(0, 96)) for one in _EIGHT),) * 2, "from 0 to 95"),
    ],
)
def test_a_cut_that_the_model_cannot_have_is_refused(
    layers: tuple[tuple[NewExpert, ...], ...], words: str, mixtures: dict[str, Path]
) -> None:
    with pytest.raises(PlanError, match=words):
        check_expert_cut(inspect_folder(mixtures["mixtral"], "mixtral"), ExpertCut(layers))


def test_a_dense_model_has_no_experts_to_cut(demo_model: Path) -> None:
    with pytest.raises(UsageError, match="no experts"):
        check_expert_cut(inspect_folder(demo_model, "demo"), ExpertCut((_EIGHT,)))
