"""What every reader does with text from a device: numbers strictly or not at all, moments in order, files by shape."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from edgeshrink.core.plain import plain
from edgeshrink.core.power import PowerSample
from edgeshrink.measure.power.interface import RawSample, SamplingPlan

_WORDS = 200
UNREADABLE = "unreadable:"
"""`shown[UNREADABLE + path]`: why a file that is there could not be read."""
COMMAND = "command:"


class AsPlanned:
    """A reader whose plan says everything before the first reading."""

    def settled(self, plan: SamplingPlan, samples: Sequence[RawSample]) -> SamplingPlan:
        return plan


def integer(text: str | None) -> int | None:
    """The whole number that is all of the text; None for anything else: nothing, torn lines, other words."""
    if text is None or not re.fullmatch(r"-?[0-9]{1,19}", text.strip()):
        return None
    return int(text)


def in_order(samples: Sequence[RawSample], texts: int) -> Iterator[RawSample]:
    """Those with `texts` texts whose moment is later than all before: a clock that stands or jumps back is left out."""
    latest = float("-inf")
    for sample in samples:
        if len(sample.texts) == texts and latest < sample.at_s < float("inf"):
            latest = sample.at_s
            yield sample


def means(counts: Sequence[tuple[float, float]]) -> tuple[PowerSample, ...]:
    """Mean watts between one (moment, joules) and the next; the first moment repeats the second's, as an anchor.

    `counts` rise in time. A counter that went back (started again, of unknown range) begins a new stretch there.
    """
    found: list[PowerSample] = []
    for (before_s, before), (at_s, joules) in itertools.pairwise(counts):
        if joules < before:
            continue
        watts = (joules - before) / (at_s - before_s)
        if not found:
            found.append(PowerSample(before_s, watts))
        found.append(PowerSample(at_s, watts))
    return tuple(found)


def paths(shown: Mapping[str, str], pattern: str) -> list[re.Match[str]]:
    """Matches of the files whose whole path fits the regular expression, in natural order (2 before 10)."""
    found = [match for path in shown if (match := re.fullmatch(pattern, path))]
    return sorted(found, key=lambda match: _natural(match[0]))


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", text)]


def why_unreadable(shown: Mapping[str, str], path: str) -> str | None:
    """Why that file cannot be read, in words; None where it can, or is not there."""
    reason = shown.get(UNREADABLE + path)
    if reason is None:
        return None
    return f"{words(path)} cannot be read: {words(reason) or 'no reason given'}"


def program(shown: Mapping[str, str], name: str) -> str | None:
    """The path of that program on the device: a login without a terminal may have a shorter PATH than the probe."""
    path = shown.get(COMMAND + name, "")
    return path if path.startswith("/") and plain(path) == path else None


def words(text: str) -> str:
    """A device's own text, safe to show and short."""
    return plain(text[:_WORDS].strip())
