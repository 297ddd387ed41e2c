"""nan and inf pass click's own comparisons; no option takes them."""

from __future__ import annotations

import click
import pytest

from edgeshrink.commands.ranges import FiniteRange


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
def test_numbers_that_are_not_finite_are_refused(value: str) -> None:
    with pytest.raises(click.BadParameter, match=r"not a finite number|not in the range"):
        FiniteRange(min=0).convert(value, None, None)


def test_finite_numbers_pass_and_the_range_holds() -> None:
    assert FiniteRange(min=0, min_open=True).convert("0.25", None, None) == 0.25
    with pytest.raises(click.BadParameter, match="not in the range"):
        FiniteRange(min=0, min_open=True).convert("0", None, None)
