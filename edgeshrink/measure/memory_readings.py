"""What the measuring child saw of its own memory, as readings."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from edgeshrink.core.measurement import Memory, MemorySample
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.measure.assembly import thinned

_HOW = "whole child process (Python, runtime, weights, KV cache)"


def memory_readings(seen: Mapping[str, Any]) -> Memory:
    """`seen` is what `Recorder.as_json` made. Where the system does not split memory, the split is Unmeasured."""
    rows: list[tuple[float, str, int, int | None, int | None, int | None]] = seen["rows"]
    marks = [row[5] for row in rows if row[5] is not None]
    totals = [row[2] for row in rows]
    sampled = f"{len(rows)} samples, between repetitions and every 50 ms while loading"
    baseline = ([row[2] for row in rows if row[1] == "start"] or totals)[-1]
    marked = "high-water mark of the system and " if marks else ""
    peak = Measured(
        float(max(marks + totals)),
        n=len(rows),
        how=f"{_HOW}; {marked}{sampled}; {baseline / 2**20:.0f} MiB before loading",
    )
    split = [row for row in rows if row[3] is not None]
    return Memory(
        peak_rss_bytes=peak,
        peak_anon_bytes=_peak([row[3] for row in split], "private and shared memory that no file backs", sampled),
        peak_file_bytes=_peak([row[4] for row in split], "pages of mapped files, weights among them", sampled),
        peak_pss_bytes=_pss(seen["peak_pss"]),
        baseline_rss_bytes=Measured(
            float(baseline), how="Python and the runtime's libraries, before the file is opened"
        ),
        timeline=_timeline(split),
    )


def _peak(values: list[int | None], what: str, sampled: str) -> Reading:
    known = [value for value in values if value is not None]
    if not known:
        return Unmeasured(f"{sys.platform} does not split resident memory into anonymous and file-backed")
    return Measured(float(max(known)), n=len(known), how=f"{_HOW}: {what}; {sampled}")


def _pss(peak: int | None) -> Reading:
    if peak is None:
        return Unmeasured(f"{sys.platform} has no proportional set size")
    return Measured(float(peak), how=f"{_HOW}; smaps_rollup at the end of each phase")


def _timeline(rows: list[Any]) -> tuple[MemorySample, ...]:
    return thinned([MemorySample(at_s=row[0], phase=row[1], anon_bytes=row[3], file_bytes=row[4]) for row in rows])
