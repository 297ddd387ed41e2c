"""The budget that would have worked, in words, from what was tried. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgeshrink.core.plan import Candidate, Predictions
from edgeshrink.core.reading import Estimate
from edgeshrink.core.shape import Shape
from edgeshrink.planning.resolve import Situation, candidate
from edgeshrink.planning.shrink.corrected import AT_LEAST
from edgeshrink.planning.shrink.distances import Distances
from edgeshrink.planning.shrink.goals import Goal
from edgeshrink.planning.shrink.shaped import parameters, shaped
from edgeshrink.planning.shrink.tried import Tried


def nearest_budget(
    situation: Situation, ladder: Sequence[Candidate], tried: Sequence[Tried], distances: Distances
) -> str:
    """ "1.9 MiB with Q4_K_M of 3.3 M parameters, or this budget with mean KL <= 0.14"; "" where nothing was near.

    First the limits under which the smallest result that holds the floor would fit, by estimate where none was built;
    then the floor under which the nearest result that fits would pass.
    """
    return ", or ".join(
        part for part in (_larger(situation, ladder, tried, distances), _lower(situation, tried)) if part
    )


def _larger(situation: Situation, ladder: Sequence[Candidate], tried: Sequence[Tried], distances: Distances) -> str:
    good = [one for one in tried if one.quality is True]
    if good:
        found = min(good, key=lambda one: _bytes(one, _predictions(situation, one)))
        needed = _needed(situation, dict(found.measured), _predictions(situation, found), found.scheme)
        return f"{needed} with {_what(situation, found.scheme, found.shape)}" if needed else ""
    seen = {one.scheme for one in tried if one.quality is False}
    open_ = [rung for rung in ladder if rung.scheme not in seen and distances.leaves(rung.scheme, 1.0)]
    if not open_:
        return ""
    rung = min(open_, key=lambda rung: rung.bits_per_weight)
    needed = _needed(situation, {}, rung.predictions, rung.scheme)
    whole = _what(situation, rung.scheme, Shape.of(situation.facts))
    return f"by estimate {needed} with {whole}" if needed else ""


def _lower(situation: Situation, tried: Sequence[Tried]) -> str:
    """Of what fits and fails: the nearest distance that is beyond the floor, else the fewest gates."""
    floor = situation.profile.budget.quality.mean_kl_max
    told = []
    for one in tried:
        beyond = one.mean_kl if floor is not None and one.mean_kl is not None and one.mean_kl > floor else None
        if one.fits is False or one.quality is not False or (beyond is None and not one.failed):
            continue
        parts = [f"with mean KL <= {_up(beyond, 2)}"] if beyond is not None else []
        parts += [f"without {', '.join(one.failed)}"] if one.failed else []
        words = f"this budget {' and '.join(parts)} ({_what(situation, one.scheme, one.shape)})"
        told.append((beyond or 0.0, len(one.failed), words))
    return min(told)[2] if told else ""


def _needed(situation: Situation, measured: dict[str, float], predictions: Predictions, scheme: str) -> str:
    """Every limit that it misses, as it would have to be."""
    parts = []
    for name, limit in Goal.of_budget(situation.profile.budget, scheme).limits:
        predicted = getattr(predictions, name)
        value = measured.get(name, predicted.value if isinstance(predicted, Estimate) else None)
        if value is not None and (value < limit if name in AT_LEAST else value > limit):
            parts.append(_told(name, value))
    return " and ".join(parts)


def _told(name: str, value: float) -> str:
    """Rounded to the side on which the budget would hold."""
    if name == "artifact_bytes":
        return _mebibytes(value)
    if name == "peak_rss_bytes":
        return f"{_mebibytes(value)} of RAM"
    if name == "decode_tok_s":
        return f"{math.floor(10 * value) / 10:g} tok/s"
    return f"{math.ceil(value):g} ms to the first token"


def _mebibytes(value: float) -> str:
    return f"{_up(value / 2**20, 1 if value >= 2**20 else 3)} MiB"


def _up(value: float, digits: int) -> str:
    return f"{math.ceil(round(value * 10**digits, 6)) / 10**digits:,.{digits}f}"


def _what(situation: Situation, scheme: str, shape: Shape) -> str:
    return f"{scheme} of {parameters(situation.facts, shape) / 1e6:,.3g} M parameters"


def _predictions(situation: Situation, tried: Tried) -> Predictions:
    return candidate(shaped(situation, tried.shape), tried.scheme).predictions


def _bytes(tried: Tried, predictions: Predictions) -> float:
    predicted = predictions.artifact_bytes
    return dict(tried.measured).get("artifact_bytes", predicted.value if isinstance(predicted, Estimate) else math.inf)
