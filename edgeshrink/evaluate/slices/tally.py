"""From the scores of items to slices: a few numbers an item are kept, and the worst of them to look at."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable

import numpy as np

from edgeshrink.core.behaviour import Confidence, Failures, Metric, Part, Slice, Specimen
from edgeshrink.errors import DataError
from edgeshrink.evaluate.slices.figures import cannot_do, figures, nothing_claimed
from edgeshrink.evaluate.slices.identity import question
from edgeshrink.evaluate.slices.interface import MetricFacts, Score, SliceFacts, Value
from edgeshrink.evaluate.slices.rights import RIGHT
from edgeshrink.evaluate.statistics import Doubles

WORST = 5
_SHOWN_CHARACTERS = 1200


class Tally:
    """Counts the scores of one or more families. A question that a slice had already counts once."""

    def __init__(self, facts: Iterable[SliceFacts], confidence: Confidence) -> None:
        self._confidence = confidence.each
        self._slices = {one.name: _Counted(one) for one in facts}

    def add(self, score: Score) -> bool:
        """Whether it was counted. DataError where it is of a slice or a metric that was not declared."""
        if score.slice not in self._slices:
            raise DataError(f"a score of {score.item} is of the slice {score.slice!r}, which nobody declared")
        return self._slices[score.slice].add(score)

    def slices(self) -> tuple[Slice, ...]:
        """All that were declared, in that order."""
        return tuple(one.slice(self._confidence) for one in self._slices.values())


class Column:
    """Paired values of one metric, an item after another."""

    def __init__(self, facts: MetricFacts) -> None:
        self.facts = facts
        self._width = 2 if facts.kind == "calibration error" else 1
        self._values: tuple[array[float], array[float]] = (array("d"), array("d"))

    def __len__(self) -> int:
        return len(self._values[0]) // self._width

    def add(self, pair: tuple[Value, Value]) -> None:
        for values, value in zip(self._values, pair, strict=True):
            if isinstance(value, tuple):
                values.extend(value)
            else:
                values.append(value)

    def metric(self, confidence: float, rows: array[int] | None = None) -> Metric:
        """Over all items, or over those `rows`."""
        reference, candidate = (self._array(values, rows) for values in self._values)
        return figures(self.facts, reference, candidate, confidence)

    def failures(self) -> Failures | None:
        """Of items that are done or failed; None where they have another kind of value."""
        reference, candidate = (self._array(values, None) for values in self._values)
        both = np.stack([reference, candidate])
        if self.facts.kind != "share" or self.facts.distance or not both.size or not np.isin(both, (0.0, 1.0)).all():
            return None
        failed, fails = both == (0.0 if self.facts.better == "higher" else 1.0)
        return Failures(
            items=len(reference),
            inherited=int((failed & fails).sum()),
            lost=int((~failed & fails).sum()),
            new=int((failed & ~fails).sum()),
        )

    def _array(self, values: array[float], rows: array[int] | None) -> Doubles:
        found = np.frombuffer(values, np.float64) if len(values) else np.empty(0)
        shaped = found.reshape(-1, 2) if self._width == 2 else found
        return shaped.copy() if rows is None else shaped[np.frombuffer(rows, np.int64)]


class Worst:
    """The items that lost most; of equals those that came first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Score]] = []
        self._count = 0

    def add(self, score: Score, loss: float) -> None:
        self._count += 1
        if loss > 0:
            entry = (loss, -self._count, score)
            if len(self._heap) < WORST:
                heapq.heappush(self._heap, entry)
            elif entry > self._heap[0]:
                heapq.heapreplace(self._heap, entry)

    def specimens(self) -> tuple[Specimen, ...]:
        return tuple(
            Specimen(
                item=score.item,
                prompt=_shortened(score.shown.prompt),
                expected=_shortened(score.shown.expected),
                reference=_shortened(score.shown.reference),
                candidate=_shortened(score.shown.candidate),
                loss=loss,
            )
            for loss, _, score in sorted(self._heap, reverse=True)
        )


class _Counted:
    """One slice."""

    def __init__(self, facts: SliceFacts) -> None:
        self._facts = facts
        self._columns = {metric.name: Column(metric) for metric in facts.metrics}
        self._parts: dict[str, array[int]] = {}
        self._worst = Worst()
        self._seen: set[str] = set()

    def add(self, score: Score) -> bool:
        if unknown := score.values.keys() - self._columns.keys():
            raise DataError(f"the slice {score.slice} has no metric {min(unknown)!r}: a score of {score.item} has")
        if (asked := question(score.item)) in self._seen:
            return False
        self._seen.add(asked)
        first = self._facts.metrics[0]
        if first.name in score.values:
            for part in score.parts:
                self._parts.setdefault(part, array("q")).append(len(self._columns[first.name]))
            self._worst.add(score, item_loss(first, score.values[first.name]))
        for name, pair in score.values.items():
            self._columns[name].add(pair)
        return True

    def slice(self, confidence: float) -> Slice:
        facts = self._facts
        metrics = [column.metric(confidence) for column in self._columns.values()]
        why = cannot_do(metrics[0], facts.chance)
        if why is not None:
            metrics = [nothing_claimed(metric, why) for metric in metrics]
        first = next(iter(self._columns.values()))
        parts = []
        for name, rows in self._parts.items():
            metric = first.metric(confidence, rows)
            unable = why or cannot_do(metric, facts.chance)
            parts.append(Part(name, len(rows), metric if unable is None else nothing_claimed(metric, unable)))
        return Slice(
            name=facts.name,
            title=facts.title,
            items=max(map(len, self._columns.values()), default=0),
            chance=facts.chance,
            metrics=tuple(metrics),
            parts=tuple(parts),
            worst=self._worst.specimens() if why is None else (),
            failures=self._columns.get(RIGHT.name, first).failures(),
        )


def item_loss(facts: MetricFacts, pair: tuple[Value, Value]) -> float:
    """How much one item lost, in the metric's unit; nothing where single items have no loss."""
    reference, candidate = pair
    if isinstance(reference, tuple) or isinstance(candidate, tuple):
        return 0.0
    if facts.distance:
        return candidate
    return reference - candidate if facts.better == "higher" else candidate - reference


def _shortened(text: str) -> str:
    """The beginning and the end of a long text: a question stands at its end."""
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    half = _SHOWN_CHARACTERS // 2
    return f"{text[:half]} [... {len(text) - 2 * half} characters ...] {text[-half:]}"
