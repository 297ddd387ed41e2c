"""Distances a position, against a computation without numpy."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from edgeshrink.evaluate.compact import compact
from edgeshrink.evaluate.distances import Distances, distances


def rows(seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(0, 4, (9, 30)).astype(np.float32)


FOLLOWING = [3, 29, 0, 7, 7, 11, 2, 5, 19]


@pytest.mark.parametrize(("elements", "threads"), [(1 << 22, 1), (60, 1), (60, 3)])
def test_every_figure_is_its_definition_in_slices_of_any_size(elements: int, threads: int) -> None:
    candidate, reference = rows(1), rows(2)
    found = distances(candidate, compact(reference, FOLLOWING), FOLLOWING, threads=threads, elements=elements)
    for index, token in enumerate(FOLLOWING):
        q, p = ([math.exp(value) for value in row[index].tolist()] for row in (candidate, reference))
        q, p = [value / math.fsum(q) for value in q], [value / math.fsum(p) for value in p]
        kl = math.fsum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        assert found.kl[index] == pytest.approx(kl, rel=1e-9)
        assert found.nll[index] == pytest.approx(-math.log(q[token]), rel=1e-9)
        assert found.reference_nll[index] == pytest.approx(-math.log(p[token]), rel=1e-9)
        assert found.same_top[index] == float(q.index(max(q)) == p.index(max(p)))
        assert (found.top[index], found.reference_top[index]) == (q.index(max(q)), p.index(max(p)))
        assert found.confidence[index] == pytest.approx(max(q), rel=1e-9)
        assert found.reference_confidence[index] == pytest.approx(max(p), rel=1e-9)
        assert found.right[index] == float(q.index(max(q)) == token)
        assert found.reference_right[index] == float(p.index(max(p)) == token)
        largest = max(abs(float(a) - float(b)) for a, b in zip(candidate[index], reference[index], strict=True))
        assert found.difference[index] == largest


def test_a_model_has_no_distance_to_itself() -> None:
    found = distances(rows(1), compact(rows(1), FOLLOWING), FOLLOWING)
    assert not found.kl.any() and not found.difference.any() and found.same_top.all()


def test_without_a_reference_only_the_own_figures_are_there() -> None:
    found = distances(rows(1), None, FOLLOWING)
    assert not found.has_reference
    assert (len(found.nll), len(found.confidence), len(found.kl), len(found.same_top)) == (9, 9, 0, 0)


def test_what_is_not_finite_stays_visible() -> None:
    broken = rows(1)
    broken[4, 2] = np.nan
    found = distances(broken, compact(rows(2), FOLLOWING), FOLLOWING)
    assert np.isnan(found.kl[4]) and np.isfinite(np.delete(found.kl, 4)).all()


def test_saved_distances_come_back(tmp_path: Path) -> None:
    given = distances(rows(1), compact(rows(2), FOLLOWING), FOLLOWING)
    given.save(tmp_path / "distances.npz")
    found = Distances.load(tmp_path / "distances.npz")
    for part in fields(Distances):
        assert getattr(found, part.name).tobytes() == getattr(given, part.name).tobytes()
