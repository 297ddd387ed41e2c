from __future__ import annotations

import itertools

import pytest

from edgeshrink.compress.training.schedule import base_rate, rate_factor
from edgeshrink.core.training import TrainingSettings


def test_rises_stays_and_falls_in_a_line_to_the_floor() -> None:
    settings = TrainingSettings(steps=100, warmup=10, fall=0.5, floor=0.1)

    factors = [rate_factor(step, 100, settings) for step in range(100)]

    assert factors[:10] == pytest.approx([step / 10 for step in range(1, 11)])
    assert set(factors[9:51]) == {1.0}
    assert factors[75] == pytest.approx(0.1 + 0.9 * 0.5)
    falls = {round(before - after, 9) for before, after in itertools.pairwise(factors[50:])}
    assert falls == {round(0.9 / 50, 9)}
    assert factors[99] == pytest.approx(0.1 + 0.9 / 50)


def test_the_warm_up_of_a_short_run_is_a_fifth_of_it() -> None:
    settings = TrainingSettings(steps=10, warmup=20, fall=0.1)

    assert [rate_factor(step, 10, settings) for step in range(4)] == [0.5, 1.0, 1.0, 1.0]


def test_a_run_whose_length_is_not_known_yet_does_not_fall() -> None:
    settings = TrainingSettings(minutes=1, warmup=4, fall=1.0)

    assert [rate_factor(step, None, settings) for step in (0, 3, 50)] == [0.25, 1.0, 1.0]


@pytest.mark.parametrize(("parameters", "rate"), [(5_000_000, 1e-3), (50_000_000, 1e-3), (5_000_000_000, 1e-4)])
def test_the_rate_falls_with_the_square_root_of_the_size(parameters: int, rate: float) -> None:
    assert base_rate(TrainingSettings(steps=1), parameters) == pytest.approx(rate)


def test_a_rate_that_was_given_wins() -> None:
    assert base_rate(TrainingSettings(steps=1, rate=0.5), 10**10) == 0.5
