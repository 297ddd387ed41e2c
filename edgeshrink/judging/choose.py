"""Which of several artifacts fits a budget best: the one whose tightest line leaves the most room. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.verdict import Verdict, VerdictLine

_BOUNDED = ("share", "cosine", "x")  # at best 1
_RANK = {"PASS": 0, "UNKNOWN": 1, "FAIL": 2}


def best_of(verdicts: Mapping[str, Verdict]) -> tuple[str | None, str]:
    """The name of the best and why; None where there is nothing to choose from.

    A verdict that fails stands behind one that is unknown, that behind one that passes. Among equals decides the
    tightest line: the share of the budget that is used (of a figure that is 1 at best: of the distance to 1); where
    those are the same, the sum over all lines. A line that was not measured counts with its
    prediction, and only lines that all of them have a figure for count.
    """
    if not verdicts:
        return None, "no format was built"
    best_rank = min(_RANK[verdict.outcome] for verdict in verdicts.values())
    equals = {name: verdict for name, verdict in verdicts.items() if _RANK[verdict.outcome] == best_rank}
    word = {0: "passes every line", 1: "fails no line", 2: "fails, as every other does"}[best_rank]
    if len(equals) == 1:
        return next(iter(equals)), f"the only one that {word}" if best_rank < 2 else word
    used = {name: _used(verdict) for name, verdict in equals.items()}
    common = set.intersection(*(set(lines) for lines in used.values()))
    if not common:
        return next(iter(equals)), f"it {word}; no line has a figure for every format, so the target's order decides"
    tightest = {name: max((lines[line], line) for line in common) for name, lines in used.items()}
    # Shares that differ by less than a hundredth are noise: then the sum over all lines decides.
    best = min(tightest, key=lambda name: (round(tightest[name][0], 2), sum(used[name][line] for line in common)))
    share, line = tightest[best]
    others = ", ".join(f"{name} {tightest[name][0]:.0%} ({tightest[name][1]})" for name in tightest if name != best)
    return best, f"it {word}, and its tightest line, {line}, uses {share:.0%} of the budget; {others}"


def _used(verdict: Verdict) -> dict[str, float]:
    """Line -> share of its limit that is used; above 1 it fails."""
    found = {}
    for line in verdict.lines:
        value = _value(line)
        if value is None or line.limit <= 0 or line.name == "backend":
            continue
        # What was lost is best at 0: a share, or how much a ratio of 1 grew.
        lost = line.comparison == "<=" and (line.unit == "share" or (line.unit == "x" and line.limit < 1))
        if line.unit in _BOUNDED and not lost and line.limit != 1:  # how far from 1, of how far it may be
            found[line.name] = max(0.0, (1 - value) / (1 - line.limit))
        elif line.comparison == "<=":
            found[line.name] = max(value, 0.0) / line.limit
        elif value > 0:
            found[line.name] = line.limit / value
    return found


def _value(line: VerdictLine) -> float | None:
    if not isinstance(line.reading, Unmeasured):
        return line.reading.value
    if line.prediction is not None and not isinstance(line.prediction, Unmeasured):
        return line.prediction.value
    return None
