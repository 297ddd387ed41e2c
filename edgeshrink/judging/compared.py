"""Rows of a comparison: better, worse, the same or unclear, by the interval of how much worse B is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from edgeshrink.core.behaviour import Behaviour, Metric, Slice
from edgeshrink.core.compared import ComparedRow, Group, Word
from edgeshrink.core.gates import Gain
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.verdict import Outcome, VerdictLine
from edgeshrink.judging.gains import Gains

_GROUPS: dict[str, Group] = {"bytes": "memory", "tok/s": "speed", "ms": "speed", "mJ": "energy"}
_GAINS: dict[tuple[Group, str], Gain] = {
    ("size", "bytes"): "artifact-bytes",
    ("memory", "bytes"): "peak-rss-bytes",
    ("speed", "tok/s"): "decode-tok-s",
    ("speed", "ms"): "ttft-ms",
    ("energy", "mJ"): "energy-mj-per-token",
}
_APART: dict[Outcome, Word] = {"PASS": "same", "FAIL": "worse", "UNKNOWN": "unclear"}
_RATIO = "perplexity ratio"


def word_for(bounds: tuple[float, float] | None, allowed: float | None) -> Word:
    """Of how much worse B is: `worse` or `better` where the whole interval says so, `same` where it rules out that B is
    worse by more than is allowed, else `unclear`."""
    if bounds is None:
        return "unclear"
    low, high = bounds
    if low > 0:
        return "worse"
    if high < 0:
        return "better"
    return "same" if high <= (allowed or 0.0) else "unclear"


def quality_rows(behaviour: Behaviour, lines: Sequence[VerdictLine]) -> Iterator[ComparedRow]:
    """The first metric of every slice, and each other one that a gate looks at; `behaviour` has A as its reference."""
    gated: dict[tuple[str, str], list[VerdictLine]] = {}
    for line in lines:
        gated.setdefault((line.slice, line.metric), []).append(line)
    for one in behaviour.slices:
        for at, metric in enumerate(one.metrics):
            found = gated.get((one.name, metric.name), [])
            points = metric.name == _RATIO and isinstance(one.metrics[0].reference, Unmeasured)
            if at == 0 or found or points:
                yield _quality_row(one, metric, found)


def _quality_row(one: Slice, metric: Metric, lines: Sequence[VerdictLine]) -> ComparedRow:
    losses = [line for line in lines if line.reading == metric.loss]
    allowed = losses[0].limit if losses else None
    why = "; ".join(line.why for line in lines)
    if isinstance(metric.loss, Unmeasured):
        word: Word = "unclear"
        why = metric.loss.reason
    elif isinstance(metric.reference, Unmeasured) and metric.candidate == metric.loss:
        # How far B stands from A has no direction: it is the same, or it is not, by what is allowed.
        word = _APART[losses[0].outcome] if losses else "unclear"
    else:
        word = word_for(metric.bounds, allowed)
        if metric.bounds is None:
            why = why or "it has no interval"
    return ComparedRow(
        group="quality",
        name=one.name,
        metric=metric.name,
        unit=metric.unit,
        a=metric.reference,
        b=metric.candidate,
        change=metric.loss,
        change_unit="points" if metric.unit == "share" else metric.unit,
        bounds=metric.bounds,
        allowed=allowed,
        word=word,
        regression=any(line.outcome == "FAIL" for line in lines),
        doubt=any(line.outcome == "UNKNOWN" for line in lines),
        why=why,
    )


def size_row(a: int, b: int, tolerance: float) -> ComparedRow:
    """`tolerance`: percent that B may be larger."""
    theirs, mine = (Measured(float(nbytes), how="size of the finished file") for nbytes in (a, b))
    percent = 100 * (b / a - 1)
    change = Measured(percent, how="percent of A")
    return device_row("size", "artifact size", "bytes", theirs, mine, change, (percent, percent), tolerance)


def ratio_rows(rows: Sequence[tuple[str, Reading, Reading, Reading]], tolerance: float) -> Iterator[ComparedRow]:
    """Of figures taken in turn: (name with its unit, A, B, A / B with its interval)."""
    for name, a, b, ratio in rows:
        label, _, unit = name.rpartition(", ")
        if unit not in _GROUPS or not label:
            continue
        change, bounds = _of_ratio(ratio, more_is_better=unit == "tok/s")
        yield device_row(_GROUPS[unit], label, unit, a, b, change, bounds, tolerance)


def _of_ratio(ratio: Reading, *, more_is_better: bool) -> tuple[Reading, tuple[float, float] | None]:
    if isinstance(ratio, Unmeasured):
        return ratio, None
    if ratio.value <= 0:
        return Unmeasured("a figure of 0 has no ratio"), None

    def worse(value: float) -> float:
        """In percent of A's figure; `value` is A / B."""
        return 100 * (1 - 1 / value if more_is_better else 1 / value - 1)

    if ratio.low is None or ratio.high is None or ratio.low <= 0:
        return Measured(worse(ratio.value), ratio.n, how=ratio.how), None
    ends = sorted((worse(ratio.low), worse(ratio.high)))
    how = "percent of A's figure, within rounds side by side"
    return Measured(worse(ratio.value), ratio.n, ends[0], ends[1], how), (ends[0], ends[1])


def device_row(
    group: Group,
    name: str,
    unit: str,
    a: Reading,
    b: Reading,
    change: Reading,
    bounds: tuple[float, float] | None,
    tolerance: float,
) -> ComparedRow:
    """`change` and `bounds` in percent of A's figure, above 0 being worse."""
    if isinstance(change, Unmeasured):
        why = change.reason
    elif bounds is None:
        why = "it has no interval, so noise cannot be told from a change"
    else:
        why = f"at most {tolerance:g} % worse allowed"
    word = "unclear" if isinstance(change, Unmeasured) else word_for(bounds, tolerance)
    return ComparedRow(
        group=group,
        name=name,
        metric="",
        unit=unit,
        a=a,
        b=b,
        change=change,
        change_unit="%",
        bounds=bounds,
        allowed=tolerance,
        word=word,
        regression=bounds is not None and bounds[0] > tolerance,
        doubt=bounds is None or bounds[0] <= tolerance < bounds[1],
        why=why,
    )


def gains_of(rows: Sequence[ComparedRow], baseline: str) -> Gains:
    """What B gained over A, for exchange rates; of several prompt lengths the last row's counts."""
    found: Mapping[Gain, Reading] = {
        _GAINS[row.group, row.unit]: _turned(row.change) for row in rows if (row.group, row.unit) in _GAINS
    }
    return Gains(baseline, found)


def _turned(change: Reading) -> Reading:
    if isinstance(change, Unmeasured):
        return change
    low, high = (None if end is None else -end for end in (change.high, change.low))
    return Measured(-change.value, change.n, low, high, change.how)
