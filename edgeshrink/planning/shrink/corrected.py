"""A budget's limits as a goal, put right by what was measured of results that were predicted. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from edgeshrink.core.plan import Predictions
from edgeshrink.core.reading import Estimate
from edgeshrink.planning.resolve import Situation, candidate, predicted_fit
from edgeshrink.planning.shrink.goals import Goal
from edgeshrink.planning.shrink.shaped import shaped
from edgeshrink.planning.shrink.tried import Tried

AT_LEAST = ("decode_tok_s",)
"""Lines that a value must reach; the others it must not exceed."""
# By how much to undercut a result that was over a budget nobody says how far.
_UNDERCUT = 1.1


def corrected_goal(situation: Situation, tried: Iterable[Tried], scheme: str) -> Goal:
    """What to predict so that measuring it would hold the budget.

    Each limit is tightened by the worst ratio of what was measured to what was predicted of the same; never loosened.
    A result that was over the budget against its prediction, without figures, is undercut in all lines.
    """
    budget = situation.profile.budget
    limits = dict(Goal.of_budget(budget, scheme).limits)
    tightened = dict(limits)
    for one in tried:
        measured = dict(one.measured)
        unexplained = one.fits is False and not measured
        if not measured and not unexplained:
            continue
        predictions = candidate(shaped(situation, one.shape), one.scheme).predictions
        unexplained = unexplained and predicted_fit(budget, predictions)[0] is not False
        for name, limit in limits.items():
            predicted = _predicted(predictions, name)
            if predicted is None:
                continue
            if name in measured:
                wanted = limit * predicted / measured[name]
            elif unexplained:
                wanted = predicted * _UNDERCUT if name in AT_LEAST else predicted / _UNDERCUT
            else:
                continue
            tightened[name] = max(tightened[name], wanted) if name in AT_LEAST else min(tightened[name], wanted)
    return Goal(**tightened, scheme=scheme)


def _predicted(predictions: Predictions, name: str) -> float | None:
    found = getattr(predictions, name)
    return found.value if isinstance(found, Estimate) and found.value > 0 else None
