"""Readings that every session of a language model makes in one way: prefill, decode, loads, what others used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeshrink.core.measurement import DecodePoint, MemorySample, PrefillPoint
from edgeshrink.core.reading import Reading, Unmeasured
from edgeshrink.measure.cpu_use import BUSY
from edgeshrink.measure.statistics import median_reading, percentile_reading

COLD_ENOUGH = 0.1
"""Share of a file's pages that may stay in the page cache for a load to be called cold."""
LOADED = "open, context, one token computed"
SLEPT = (
    "the machine was busy, so threads slept while they waited and did not spin: "
    "slower than in an app on an idle machine"
)
_TTFT = "ids handed over to first id chosen, empty context; without tokenization and loading"
_TIMELINE = 400
"""Samples kept for the chart."""


def prefill_points(
    asked: Sequence[int],
    samples: Mapping[int, Sequence[float]],
    context: int,
    *,
    nothing: str = "nothing was prefilled",
) -> tuple[PrefillPoint, ...]:
    """One point for each length that was asked for, in rising order; `samples` are ms of each repetition.

    A length without samples is Unmeasured: it does not fit the context, else `nothing` says why.
    """
    points = []
    for length in sorted(set(asked)):
        if times := samples.get(length):
            p50, p95 = (percentile_reading(times, percent, how=_TTFT) for percent in (50, 95))
            speed = median_reading([1e3 * length / ms for ms in times], how="prompt tokens / TTFT", nothing="")
            points.append(PrefillPoint(length, p50, p95, speed, tuple(times)))
        else:
            fits = 0 < length <= context
            missing = Unmeasured(nothing if fits else does_not_fit(length, context))
            points.append(PrefillPoint(length, missing, missing, missing, ()))
    return tuple(points)


def does_not_fit(length: int, context: int) -> str:
    return f"a prompt of {length} tokens does not fit a context of {context}"


@dataclass(frozen=True, slots=True)
class DecodeReadings:
    """Speed is the median over repetitions; percentiles are over all steps of all of them."""

    decode_tok_s: Reading
    inter_token_p50_ms: Reading
    inter_token_p95_ms: Reading
    inter_token_p99_ms: Reading
    samples_ms: tuple[float, ...]

    def point(self, depth: int) -> DecodePoint:
        return DecodePoint(
            depth, self.decode_tok_s, self.inter_token_p50_ms, self.inter_token_p95_ms, self.inter_token_p99_ms
        )


def decode_readings(
    runs: Sequence[Sequence[float]], depth: int, *, nothing: str = "nothing was decoded"
) -> DecodeReadings:
    """`runs`: milliseconds of each step, a repetition each, after a prompt of `depth` tokens."""
    how = f"decode step and greedy choice, after a prompt of {depth} tokens"
    steps = tuple(step for run in runs for step in run)
    lengths = sorted({len(run) for run in runs})
    tokens = "..".join(str(length) for length in dict.fromkeys((lengths[0], lengths[-1]))) if lengths else ""
    speed = median_reading(
        [1e3 * len(run) / sum(run) for run in runs],
        how=f"{len(runs)} repetitions of {tokens} tokens, {how}",
        nothing=nothing,
    )
    if not steps:
        missing = Unmeasured(nothing)
        return DecodeReadings(speed, missing, missing, missing, ())
    p50, p95, p99 = (percentile_reading(steps, percent, how=how) for percent in (50, 95, 99))
    return DecodeReadings(speed, p50, p95, p99, steps)


def load_readings(
    cold_ms: Sequence[float],
    warm_ms: Sequence[float],
    *,
    stayed: float | None,
    not_cold: str | None,
    what: str = LOADED,
    nothing: str = "nothing was loaded",
) -> tuple[Reading, Reading]:
    """Cold and warm. `what` a load is; `stayed`: the highest share of the file still cached before a cold one.

    `not_cold`: why the page cache could not be dropped, None where it was.
    """
    warm = median_reading(warm_ms, how=f"{what}; file in the page cache", nothing=nothing)
    if not_cold is not None:
        return Unmeasured(not_cold), warm
    if stayed is not None and stayed > COLD_ENOUGH:
        return Unmeasured(f"{stayed:.0%} of the file stayed in the page cache after posix_fadvise"), warm
    checked = "cold as far as posix_fadvise allows"
    if stayed is not None:
        checked = f"mincore: {stayed:.1%} of the pages stayed"
    how = f"{what}; page cache dropped by posix_fadvise(DONTNEED) before each, {checked}"
    return median_reading(cold_ms, how=how, nothing=nothing), warm


def others_note(share: float) -> tuple[str, ...]:
    """What to say of the `share` (0 to 1) of the CPUs that other programs had; nothing where it was little."""
    if share <= BUSY:
        return ()
    return (f"other programs used {share:.0%} of the CPUs meanwhile: on an idle machine it is faster",)


def thinned(samples: Sequence[MemorySample]) -> tuple[MemorySample, ...]:
    """Few enough for a chart, the last of them kept."""
    step = max(1, -(-len(samples) // _TIMELINE))
    return tuple(row for index, row in enumerate(samples) if index % step == 0 or index == len(samples) - 1)
