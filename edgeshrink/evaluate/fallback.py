"""A confidence below which a model should hand over, so that what it keeps is wrong at most so often.

Selective classification with guaranteed risk: Geifman & El-Yaniv, NeurIPS 2017. Theirs searches thresholds among the
items that also judge them; here they are taken from other items, so that the guarantee is exact with any ties: every
threshold is a hypothesis of its own, tested by the binomial distribution (Clopper & Pearson 1934), at `1 - guarantee`
divided by their number (Bonferroni). Temperature: Guo et al., ICML 2017.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.fallback import Fallback, FallbackFit, Operating
from edgeshrink.core.reading import Unmeasured
from edgeshrink.evaluate.probes import TEMPERATURES
from edgeshrink.evaluate.quantiles import beta_cdf, beta_quantile
from edgeshrink.evaluate.statistics import Doubles, share

RISK = 0.05
GUARANTEE = 0.95
_THRESHOLDS = 20
_DIGITS = 6
_CERTAIN = 1.0 - 1e-7

Bools = NDArray[np.bool_]


def fit_fallback(
    right: Bools, confidence: NDArray[np.float32], *, seed: int, risk: float = RISK, guarantee: float = GUARANTEE
) -> FallbackFit | Unmeasured:
    """The threshold that keeps most answers and still, with the confidence `guarantee`, at most `risk` of them wrong.

    `right` (n,), and `confidence` (n, temperatures) as in probes.Said, of answers to items like those that will come,
    in any order. A seeded draw parts them: an eighth for temperature and possible thresholds, three eighths to choose
    among those, and half of them, not used for either, for what the fallback says of itself: risk, coverage, curve.
    Unmeasured where no threshold can promise that much.
    """
    confidence = _sound(confidence)
    fewest = _fewest(risk, 1.0 - guarantee)
    if (judging := 3 * len(right) // 8) < fewest:
        return Unmeasured(
            f"{len(right)} answers: to promise a risk of {risk:.2g}, a threshold is chosen on {judging} of them, and "
            f"even without any mistake {fewest} are needed"
        )
    shape, choose, check = _parted(len(right), seed)
    column = _temperature(right[shape], confidence[shape])
    sure = np.exp(confidence[:, column].astype(np.float64))
    thresholds = _thresholds(sure[shape])
    counts = [_kept(right[choose], sure[choose], one) for one in thresholds]
    tested = _tested([kept for _, kept in counts], risk, guarantee)
    tail = (1.0 - guarantee) / tested
    counts = counts[:tested]
    chosen = next((one for one, seen in zip(thresholds, counts, strict=False) if _holds(*seen, risk, tail)), None)
    if chosen is None:
        wrong = 1.0 - float(right[choose].mean())
        best = max(counts, key=lambda seen: _closeness(seen[0], seen[1], risk))
        return Unmeasured(
            f"no threshold is sure to keep the risk below {risk:.2g}: of {len(choose)} answers {wrong:.1%} are wrong, "
            f"of those kept at the best threshold up to {_most_wrong(*best, tail):.1%} may be"
        )
    wrong_kept, kept = _kept(right[check], sure[check], chosen)
    if not kept:
        return Unmeasured("of the answers that check the threshold, none reaches it")
    checked_risk, checked_coverage = share(wrong_kept, kept), share(kept, len(check))
    curve = tuple(_operating(right[check], sure[check], one) for one in thresholds)
    return FallbackFit(
        Fallback(chosen, TEMPERATURES[column], checked_risk.value, checked_coverage.value, curve),
        stated_risk=risk,
        guarantee=guarantee,
        fitted_on=len(shape) + len(choose),
        checked_on=len(check),
        checked_risk=checked_risk,
        checked_coverage=checked_coverage,
        kept=checked_risk.low is not None and checked_risk.low <= risk,
    )


def _sound(confidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is not a number is no confidence at all."""
    return np.minimum(np.nan_to_num(confidence, nan=-np.inf, posinf=0.0, neginf=-np.inf), np.float32(0))


def _parted(n: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    order = list(range(n))
    random.Random(f"{seed}-fallback").shuffle(order)
    half, eighth = n // 2, n // 2 - 3 * n // 8
    drawn = np.array(order, np.int64)
    return drawn[:eighth], drawn[eighth:half], drawn[half:]


def _temperature(right: Bools, confidence: NDArray[np.float32]) -> int:
    """Index of the temperature at which confidences say best who is right: least mean negative log-likelihood."""
    sure = np.clip(np.exp(confidence.astype(np.float64)), 1.0 - _CERTAIN, _CERTAIN)
    likelihood = np.where(right[:, None], np.log(sure), np.log1p(-sure)).mean(axis=0)
    return int(likelihood.argmax())


def _thresholds(sure: Doubles) -> list[float]:
    """At most `_THRESHOLDS`, rising: 0, which keeps everything, and quantiles of these confidences."""
    quantiles = np.quantile(sure, np.arange(1, _THRESHOLDS) / _THRESHOLDS, method="lower")
    return sorted({0.0, *(round(float(one), _DIGITS) for one in quantiles)})


def _kept(right: Bools, sure: Doubles, threshold: float) -> tuple[int, int]:
    """(wrong, all) of those at or above the threshold."""
    kept = right[sure >= threshold]
    return int((~kept).sum()), len(kept)


def _holds(wrong: int, kept: int, risk: float, tail: float) -> bool:
    """Whether `_most_wrong` is at most `risk`, without finding it: so few wrong are too improbable above it."""
    return _closeness(wrong, kept, risk) >= 1.0 - tail


def _closeness(wrong: int, kept: int, risk: float) -> float:
    """The confidence with which that count alone would promise `risk`."""
    return beta_cdf(risk, wrong + 1, kept - wrong) if wrong < kept else 0.0


def _most_wrong(wrong: int, kept: int, tail: float) -> float:
    """Clopper and Pearson's upper bound of the share that is wrong; 1 where none is right."""
    return 1.0 if wrong == kept else beta_quantile(1.0 - tail, wrong + 1, kept - wrong)


def _tested(kept: Sequence[int], risk: float, guarantee: float) -> int:
    """How many of the thresholds, the lowest first, may be tested together: as many as could each be passed.

    By what they keep alone, whoever is right: so it costs the guarantee nothing.
    """
    able = (n for n in range(len(kept), 0, -1) if kept[n - 1] >= _fewest(risk, (1.0 - guarantee) / n))
    return next(able, 1)


def _fewest(risk: float, tail: float) -> int:
    """Answers that must be kept, all of them right, to promise `risk`: (1 - risk)^n <= tail."""
    return int(np.ceil(np.log(tail) / np.log1p(-risk)))


def _operating(right: Bools, sure: Doubles, threshold: float) -> Operating:
    wrong, kept = _kept(right, sure, threshold)
    return Operating(threshold, kept / len(right), wrong / kept if kept else 0.0)
