"""What the runner is asked to do in one session: which prompts, which depths, how often, and within which time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.session import SessionOptions
from edgeshrink.devices.cpu import default_threads, fast_cores
from edgeshrink.measure.device.sampling import Sampled
from edgeshrink.measure.latency import LEAST_REPETITIONS
from edgeshrink.measure.power.interface import SamplingPlan
from edgeshrink.measure.statistics import SAMPLES_NEEDED

TOP_UP_S = 240.0
"""Time for repetitions beyond the asked ones, so that p95 has its samples at the budget's length."""
LOADS = 5
WINDOW_READINGS = 15
"""Of a power sensor, in a stretch that is integrated: some more than `record_power` insists on."""
WINDOWS = 5
"""Such stretches where the repetitions are too short for the sensor."""
_SHORTEST_DEADLINE_S = 900.0
_LONGEST_DEADLINE_S = 6 * 3600.0
_SLOWEST_BYTES_S = 50e6
_SIGN_OF_LIFE = (("/proc/uptime",), 5000)
"""Sampled where nothing else is: a link that is silent for longer than that is broken, however slow the model."""
_AT_DEPTH = 32
"""Decode's depth where no prompt length fits."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """`lengths` and `depths` fit the context; the first of each is the one that matters. `sustain_s`: decode on for so
    long, at the first depth."""

    lengths: tuple[int, ...]
    depths: tuple[int, ...]
    decode_tokens: int
    repetitions: int
    sustain_s: float
    idle_s: float
    window_s: float
    """The shortest stretch of decode whose energy can be told; 0 where there is no power source."""
    notes: tuple[str, ...] = ()
    """What is timed otherwise than it was asked for, and why."""

    @property
    def steps(self) -> int:
        """Timed parts, for progress."""
        first = max(0, SAMPLES_NEEDED[95] - self.repetitions) if self.lengths else 0
        return (len(self.lengths) + len(self.depths)) * self.repetitions + first

    def arguments(self, sampled: Sampled) -> tuple[str, ...]:
        """For the runner's `bench`."""
        words = ["--prompts", _listed(self.lengths), "--depths", _listed(self.depths)]
        words += ["--decode", str(self.decode_tokens), "--repetitions", str(self.repetitions)]
        words += ["--first-repetitions", str(SAMPLES_NEEDED[95]), "--first-within-s", f"{TOP_UP_S:.0f}"]
        words += ["--idle-s", f"{self.idle_s:.1f}"] if self.idle_s else []
        words += ["--sustain-s", f"{self.sustain_s:.1f}"] if self.sustain_s else []
        files, interval_ms = (sampled.files, sampled.interval_ms) if sampled.files else _SIGN_OF_LIFE
        words += ["--sample-ms", str(interval_ms), *(word for file in files for word in ("--sample", file))]
        return tuple(words)

    def deadline_s(self, nbytes: int) -> float:
        """Generous: as if all `nbytes` of the model had to come from slow storage again for every token."""
        tokens = sum(self.lengths) + sum(depth + self.decode_tokens for depth in self.depths)
        expected = nbytes / _SLOWEST_BYTES_S * tokens * self.repetitions
        bounded = min(_LONGEST_DEADLINE_S, max(_SHORTEST_DEADLINE_S, expected))
        return bounded + TOP_UP_S + self.idle_s + self.sustain_s


def schedule(
    options: SessionOptions, prompt_tokens: Sequence[int], context: int, *, power: SamplingPlan | None = None
) -> Schedule:
    """At least 5 repetitions, and decode steps enough for a p99. What does not fit the context is left out.

    Decode is timed first after the first of `prompt_tokens`, then at the depths that were asked for; where the context
    has no room for all `decode_tokens` behind the deepest, for fewer, down to what a p99 needs. With a `power`
    source the device rests first, and decodes on afterwards for as long as energy needs: a repetition may be over
    before its sensor has said anything.
    """
    window_s = 0.0 if power is None else WINDOW_READINGS * power.interval_ms / 1e3
    repetitions = max(LEAST_REPETITIONS, options.repetitions)
    lengths = tuple(length for length in dict.fromkeys(prompt_tokens) if 0 < length <= context)
    least = -(-SAMPLES_NEEDED[99] // repetitions)
    wanted = lengths[0] if lengths else _AT_DEPTH
    deeper = tuple(depth for depth in options.depths if 0 <= depth <= context - least)
    room = max(least, context - max(wanted, *deeper, 0))
    tokens = max(1, min(max(options.decode_tokens, least), room, context - 1))
    first = max(0, min(wanted, context - tokens))
    return Schedule(
        lengths=lengths,
        depths=tuple(dict.fromkeys((first, *deeper))),
        decode_tokens=tokens,
        repetitions=repetitions,
        sustain_s=max(options.sustain_s, WINDOWS * window_s),
        idle_s=max(options.idle_s, window_s) if power else 0.0,
        window_s=window_s,
        notes=_changes(options, context, least, tokens),
    )


def _changes(options: SessionOptions, context: int, least: int, tokens: int) -> tuple[str, ...]:
    """`least`: decode steps of a repetition that a p99 needs; `tokens`: those that it gets."""
    notes = []
    for depth in dict.fromkeys(options.depths):
        if depth >= context:
            notes.append(f"a depth of {depth} tokens does not fit a context of {context}")
        elif depth > context - least:
            notes.append(f"a depth of {depth} tokens leaves a context of {context} no room for {least} more")
    if tokens != options.decode_tokens:
        why = (
            f"p99 needs {SAMPLES_NEEDED[99]} steps"
            if tokens > options.decode_tokens
            else f"the context holds {context}"
        )
        notes.append(f"{tokens} tokens a repetition, not {options.decode_tokens}: {why}")
    return tuple(notes)


def threads_for(device: ProbedDevice) -> int:
    """The cores that decode is fastest on: all but the slowest kind, where there are kinds.

    A kind that hides its clock counts as slow where nothing else tells: one slow core holds up all others.
    """
    shown = {cluster.name for cluster in device.clusters if cluster.max_mhz}
    known = sum(cluster.cores for cluster in device.clusters if cluster.name in shown)
    best = fast_cores(device) or known or device.cores
    return max(1, min(best, default_threads()) if device.address == "local" else best)


def _listed(numbers: Sequence[int]) -> str:
    return ",".join(str(number) for number in numbers)
