"""Pairs of layers: both stacks end together, nothing goes backwards, and what cannot be matched is refused."""

from __future__ import annotations

import pytest

from edgeshrink.compress.distill.representations.mapping import check_layers, even_layers, kept_layers
from edgeshrink.errors import PlanError


def test_half_as_many_layers_meet_every_second_one() -> None:
    assert even_layers(3, 6) == ((0, 1), (1, 3), (2, 5))


def test_equally_many_layers_meet_one_to_one() -> None:
    assert even_layers(5, 5) == tuple((index, index) for index in range(5))


@pytest.mark.parametrize("teacher", range(1, 40))
def test_even_pairs_end_together_and_never_go_backwards(teacher: int) -> None:
    for student in range(1, 40):
        pairs = even_layers(student, teacher)
        assert pairs[-1] == (student - 1, teacher - 1)
        assert check_layers(pairs, student, teacher) == pairs
        for own, other in pairs:  # as deep as each other, to within half a layer of the teacher
            assert abs((own + 1) / student - (other + 1) / teacher) <= max(0.5, 1 - teacher / student) / teacher + 1e-12


def test_a_kept_layer_takes_over_the_removed_ones_behind_it() -> None:
    assert kept_layers((0, 1, 4), 6) == ((0, 0), (1, 3), (2, 5))


def test_a_layer_removed_before_all_kept_ones_is_nobodys() -> None:
    assert kept_layers((2, 3), 4) == ((0, 2), (1, 3))


@pytest.mark.parametrize("kept", [(), (1, 0), (0, 0), (0, 6), (-1, 2)])
def test_layers_that_cannot_have_been_kept_are_refused(kept: tuple[int, ...]) -> None:
    with pytest.raises(PlanError, match="cannot have been kept of a teacher of 6"):
        kept_layers(kept, 6)


@pytest.mark.parametrize(
    "layers",
    [(), ((0, 3),), ((2, 0),), ((-1, 0),), ((0, 1), (0, 2)), ((0, 2), (1, 1)), ((0,),), ((0, 1, 2),)],
    ids=str,
)
def test_pairs_that_do_not_fit_are_refused(layers: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(PlanError, match="layers"):
        check_layers(layers, 2, 3)


def test_pairs_are_told_in_the_students_order() -> None:
    assert check_layers([[1, 2], [0, 0]], 2, 3) == ((0, 0), (1, 2))
