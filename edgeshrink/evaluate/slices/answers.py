"""Two slices over the answers of all families: are they as sure as they are right, and which of them turned?"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable

import numpy as np

from edgeshrink.core.behaviour import Confidence, Part, Slice
from edgeshrink.evaluate.paired import mcnemar
from edgeshrink.evaluate.probes import TEMPERATURES
from edgeshrink.evaluate.slices.figures import cannot_do, figures
from edgeshrink.evaluate.slices.interface import MetricFacts, Score, SliceFacts
from edgeshrink.evaluate.slices.tally import Worst
from edgeshrink.evaluate.statistics import Doubles

AS_GIVEN = TEMPERATURES.index(1.0)
RIGHT = MetricFacts("right", "share")
CALIBRATION = SliceFacts(
    "calibration/answers",
    "how far the confidence of answers is from how often they are right",
    (
        MetricFacts("calibration error", "calibration error", better="lower"),
        MetricFacts("Brier", "mean", better="lower"),
        MetricFacts("over-confidence", "mean", better="lower"),
    ),
)
FLIPS = SliceFacts(
    "stability/flips",
    "answers that turned from right to wrong, less those that turned from wrong to right",
    (
        RIGHT,
        MetricFacts("right to wrong", "share", better="lower", distance=True),
        MetricFacts("wrong to right", "share", better="lower", distance=True),
    ),
)
ANSWER_SLICES = (CALIBRATION, FLIPS)
NO_ANSWERS = "no task of this suite is one that the reference can do"


class AnswersTally:
    """Counts every score that carries an answer. `facts` are those of all families: a slice that the reference cannot
    do is left out, since nobody loses what was not there."""

    def __init__(self, facts: Iterable[SliceFacts], confidence: Confidence) -> None:
        self._confidence = confidence.each
        self._chance = {one.name: one.chance for one in facts}
        self._answers: dict[str, array[float]] = {}
        self._worst: dict[str, Worst] = {}

    def add(self, score: Score) -> None:
        """To be told of each score that `Tally.add` counted."""
        if score.answered is None:
            return
        values = self._answers.setdefault(score.slice, array("d"))
        for one in score.answered:
            values.extend((math.exp(min(one.confidence[AS_GIVEN], 0.0)), float(one.right)))
        reference, candidate = score.answered
        self._worst.setdefault(score.slice, Worst()).add(score, float(reference.right) - float(candidate.right))

    def slices(self) -> tuple[Slice, ...]:
        able = {name: found for name in self._answers if self._can(name, found := self._rows(name))}
        left_out = sorted(self._answers.keys() - able.keys())
        notes = (f"without what the reference cannot do: {', '.join(left_out)}",) if left_out else ()
        rows = np.concatenate([*able.values(), np.empty((0, 4))])
        return self._calibration(rows, notes), self._flips(able, rows, notes)

    def _rows(self, name: str) -> Doubles:
        """(answers, 4): confidence and right of the reference, then of the candidate."""
        return np.frombuffer(self._answers[name], np.float64).reshape(-1, 4).copy()

    def _can(self, name: str, rows: Doubles) -> bool:
        right = figures(RIGHT, rows[:, 1], rows[:, 3], self._confidence)
        return cannot_do(right, self._chance.get(name)) is None

    def _calibration(self, rows: Doubles, notes: tuple[str, ...]) -> Slice:
        reference, candidate = rows[:, :2], rows[:, 2:]
        error, brier, over = CALIBRATION.metrics
        values = {
            error: (reference, candidate),
            brier: (_squares(reference), _squares(candidate)),
            over: (reference[:, 0] - reference[:, 1], candidate[:, 0] - candidate[:, 1]),
        }
        metrics = tuple(figures(facts, *pair, self._confidence) for facts, pair in values.items())
        return Slice(CALIBRATION.name, CALIBRATION.title, len(rows), None, metrics, notes=notes or _empty(rows))

    def _flips(self, able: dict[str, Doubles], rows: Doubles, notes: tuple[str, ...]) -> Slice:
        before, after = rows[:, 1], rows[:, 3]
        nothing = np.zeros(len(rows))
        lost, won = before * (1 - after), after * (1 - before)
        pairs = ((before, after), (nothing, lost), (nothing, won))
        metrics = [figures(facts, *pair, self._confidence) for facts, pair in zip(FLIPS.metrics, pairs, strict=True)]
        parts = tuple(
            Part(name, len(found), figures(RIGHT, found[:, 1], found[:, 3], self._confidence))
            for name, found in able.items()
        )
        p = mcnemar(int(lost.sum()), int(won.sum()))
        told = f"{int(lost.sum())} right to wrong, {int(won.sum())} wrong to right: McNemar's exact p is {p:.3g}"
        worst = [specimen for name in able for specimen in self._worst[name].specimens()[:1]]
        return Slice(
            FLIPS.name,
            FLIPS.title,
            len(rows),
            None,
            tuple(metrics),
            parts=parts,
            worst=tuple(worst[:5]),
            notes=(told, *notes) if len(rows) else (*notes, *_empty(rows)),
        )


def _squares(pairs: Doubles) -> Doubles:
    found: Doubles = (pairs[:, 0] - pairs[:, 1]) ** 2
    return found


def _empty(rows: Doubles) -> tuple[str, ...]:
    return () if len(rows) else (NO_ANSWERS,)
