"""Which gate holds for a slice: the most specific pattern decides, for each metric on its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.gates import SliceGate, default_gates

NAMELESS = ("",)
"""The metrics of a slice whose names are not known before it has run (see `judged`)."""


@dataclass(frozen=True, slots=True)
class Held:
    """A gate as it holds for one slice. `named`: a person named this very slice, so that silence is no answer."""

    metric: str
    gate: SliceGate
    named: bool


def pattern_of(key: str, gate: SliceGate) -> str:
    """A key is a pattern of slice names; `PATTERN:METRIC` lets one pattern have gates on several metrics."""
    return key.removesuffix(f":{gate.metric}") if gate.metric else key


def gates_for(floor: QualityFloor, name: str, first_metric: str) -> tuple[Held, ...]:
    """The gates of the slice `name`, one a metric: an exact name, else the longest pattern that fits.

    A gate without any limit switches those off that are less specific.
    """
    best: dict[str, tuple[tuple[bool, int], str, SliceGate]] = {}
    for key, gate in floor.slices.items():
        pattern = pattern_of(key, gate)
        if not fits(name, pattern):
            continue
        metric = gate.metric or first_metric
        rank = (pattern == name, len(pattern))
        if metric not in best or rank > best[metric][0]:
            best[metric] = (rank, key, gate)
    ours = default_gates()
    return tuple(
        Held(metric, gate, named=exact and ours.get(key) != gate)
        for metric, ((exact, _), key, gate) in best.items()
        if limits_of(gate)
    )


def fits(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)


def named_slices(floor: QualityFloor) -> tuple[str, ...]:
    """Slices that a person's gate names exactly."""
    named = (pattern for pattern, _ in _of_persons(floor))
    return tuple(dict.fromkeys(pattern for pattern in named if not _is_pattern(pattern)))


def patterns(floor: QualityFloor) -> tuple[tuple[str, SliceGate], ...]:
    """A person's gates on more than one slice: the pattern and the gate."""
    return tuple((pattern, gate) for pattern, gate in _of_persons(floor) if _is_pattern(pattern))


def _of_persons(floor: QualityFloor) -> Iterator[tuple[str, SliceGate]]:
    """Gates with a limit that are none of ours: the pattern, and the gate."""
    ours = default_gates()
    for key, gate in floor.slices.items():
        if ours.get(key) != gate and limits_of(gate):
            yield pattern_of(key, gate), gate


def _is_pattern(name: str) -> bool:
    return bool(set(name) & set("*?["))


def limits_of(gate: SliceGate) -> dict[str, float]:
    """The limits that a gate states, by the name of their field."""
    fields = ("max_degradation", "percent_max_degradation", "threshold")
    return {field: value for field in fields if (value := getattr(gate, field)) is not None}


def judged(floor: QualityFloor, metrics: Mapping[str, Sequence[str]]) -> frozenset[tuple[str, str]]:
    """Every (slice, metric) that a limit looks at, of slices with their metrics' names, the first one first; a metric
    whose own figure has a floor beside the limit on its loss counts twice: two intervals of it are looked at.

    How many they are is what the error of all gates together is shared between: see core.behaviour.Confidence.
    """
    found = set()
    for name, of_slice in metrics.items():
        if not of_slice:
            continue
        for held in gates_for(floor, name, of_slice[0]):
            if held.metric in of_slice or of_slice == NAMELESS:
                of_loss = set(limits_of(held.gate)) - {"threshold"}
                found |= {(name, held.metric)} if of_loss else set()
                found |= {(name, f"{held.metric}, own figure")} if held.gate.threshold is not None else set()
        if floor.worst_slice is not None:
            found |= {(name, metric) for metric in of_slice if metric == (floor.worst_slice.metric or of_slice[0])}
        if any(fits(name, rate.slices) for rate in floor.exchange):
            found.add((name, of_slice[0]))
    return frozenset(found)
