"""Where the ladder starts and where it goes."""

from __future__ import annotations

from edgeshrink.core.plan import Candidate, Predictions
from edgeshrink.core.reading import Unmeasured
from edgeshrink.planning.ladder import Tried, first, following

_NOTHING = Unmeasured("not asked")
_PREDICTIONS = Predictions(*[_NOTHING] * 7)


def rungs(**fits: bool | None) -> tuple[Candidate, ...]:
    return tuple(Candidate(name, 4.0, _PREDICTIONS, value, f"{name} says so") for name, value in fits.items())


def test_starts_at_the_preferred_scheme() -> None:
    assert first(rungs(Q2_K=True, Q4_K_M=True, Q8_0=True), "Q4_K_M").scheme == "Q4_K_M"


def test_starts_below_where_the_preferred_scheme_is_predicted_not_to_fit() -> None:
    move = first(rungs(Q2_K=True, Q3_K_M=True, Q4_K_M=False), "Q4_K_M")
    assert move.scheme == "Q3_K_M"
    assert "Q4_K_M is predicted not to fit" in move.why


def test_an_unknown_fit_is_tried() -> None:
    assert first(rungs(Q2_K=None, Q4_K_M=None), "Q4_K_M").scheme == "Q4_K_M"


def test_tries_the_smallest_where_nothing_fits() -> None:
    assert first(rungs(Q2_K=False, Q4_K_M=False), "Q4_K_M").scheme == "Q2_K"


def test_goes_up_where_quality_fails_and_there_is_room() -> None:
    ladder = rungs(Q2_K=True, Q4_K_M=True, Q8_0=True)
    assert following(ladder, [Tried("Q4_K_M", quality=False, fits=True)]).scheme == "Q8_0"


def test_goes_down_where_the_artifact_does_not_fit() -> None:
    ladder = rungs(Q2_K=True, Q4_K_M=True, Q8_0=True)
    assert following(ladder, [Tried("Q4_K_M", quality=True, fits=False)]).scheme == "Q2_K"


def test_never_tries_a_rung_twice() -> None:
    ladder = rungs(Q4_K_M=True, Q5_K_M=True)
    tried = [Tried("Q4_K_M", quality=False, fits=True), Tried("Q5_K_M", quality=True, fits=False)]
    move = following(ladder, tried)
    assert move.scheme is None
    assert "Q4_K_M failed on quality" in move.why


def test_stops_where_everything_holds_or_cannot_be_judged() -> None:
    ladder = rungs(Q4_K_M=True, Q5_K_M=True)
    assert following(ladder, [Tried("Q4_K_M", quality=True, fits=True)]).scheme is None
    assert following(ladder, [Tried("Q4_K_M", quality=None, fits=None)]).scheme is None


def test_stops_at_the_top_and_at_the_bottom() -> None:
    ladder = rungs(Q4_K_M=True)
    assert following(ladder, [Tried("Q4_K_M", quality=False, fits=True)]).scheme is None
    assert following(ladder, [Tried("Q4_K_M", quality=True, fits=False)]).scheme is None
