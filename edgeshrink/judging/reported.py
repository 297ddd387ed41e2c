"""Speed, memory and energy of two reports: one session each, taken at different times."""

from __future__ import annotations

from collections.abc import Iterator

from edgeshrink.core.compared import ComparedRow, Group
from edgeshrink.core.gates import Gain
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.judging.compared import device_row
from edgeshrink.judging.gains import improvement, other_place


def session_rows(a: Measurements | Unmeasured, b: Measurements | Unmeasured, tolerance: float) -> Iterator[ComparedRow]:
    """Of a figure without an interval of its own (a peak is one number) the tolerance itself stands for the noise."""
    elsewhere = other_place(a, b)
    for group, name, unit, gain, mine, theirs in _figures(a, b):
        better = Unmeasured(elsewhere) if elsewhere else improvement(gain, theirs, mine)
        if isinstance(better, Unmeasured):
            yield device_row(group, name, unit, mine, theirs, better, None, tolerance)
            continue
        value = -better.value
        bounds = None
        if better.low is not None and better.high is not None:
            bounds = (-better.high, -better.low)
        elif group == "memory":
            bounds = (value - tolerance, value + tolerance)
        low, high = (None, None) if better.low is None or bounds is None else bounds
        change = Measured(value, better.n, low, high, better.how)
        yield device_row(group, name, unit, mine, theirs, change, bounds, tolerance)


def _figures(
    a: Measurements | Unmeasured, b: Measurements | Unmeasured
) -> Iterator[tuple[Group, str, str, Gain, Reading, Reading]]:
    if isinstance(a, Unmeasured) or isinstance(b, Unmeasured):
        missing = " and ".join(
            f"{name}: {reading.reason}" for name, reading in (("A", a), ("B", b)) if isinstance(reading, Unmeasured)
        )
        why = Unmeasured(missing)
        yield "speed", "decode", "tok/s", "decode-tok-s", why, why
        yield "memory", "peak RSS", "bytes", "peak-rss-bytes", why, why
        return
    if a.inference or b.inference:
        theirs = {point.shapes: point for point in b.inference}
        for run in a.inference:
            if run.shapes in theirs:
                yield "speed", f"one run, {run.shapes}", "ms", "ttft-ms", run.p50_ms, theirs[run.shapes].p50_ms
    else:
        yield "speed", "decode", "tok/s", "decode-tok-s", a.decode_tok_s, b.decode_tok_s
        points = {point.prompt_tokens: point for point in b.prefill}
        for point in a.prefill:
            if point.prompt_tokens in points:
                name = f"TTFT at {point.prompt_tokens} tokens"
                yield "speed", name, "ms", "ttft-ms", point.ttft_p50_ms, points[point.prompt_tokens].ttft_p50_ms
    yield "memory", "peak RSS", "bytes", "peak-rss-bytes", a.memory.peak_rss_bytes, b.memory.peak_rss_bytes
    energy = (a.energy_mj_per_token, b.energy_mj_per_token)
    if not any(isinstance(reading, Unmeasured) for reading in energy):
        yield "energy", "energy per token", "mJ", "energy-mj-per-token", *energy
