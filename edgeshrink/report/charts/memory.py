"""Memory over time: anonymous and file-backed pages of the measuring process, stacked, with its phases."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from edgeshrink.core.measurement import MemorySample
from edgeshrink.core.reading import Measured
from edgeshrink.core.report import Report
from edgeshrink.report.charts import svg
from edgeshrink.report.format import human_bytes, limit_value
from edgeshrink.report.predicted import line_of
from edgeshrink.report.told import baseline_owner

_ID = "memory"
_TITLE = "Memory over time"
_POINTS = 300
_CHARACTER = 7.6


def memory_chart(report: Report) -> svg.Figure:
    """Resident memory of the measuring child; the budget's limit where it is near enough to be shown."""
    memory = report.measurements.memory if report.measurements else None
    samples = memory.timeline if memory else ()
    if len(samples) < 2 or samples[-1].at_s <= samples[0].at_s:
        return svg.Figure(_ID, _TITLE, "Memory was not sampled often enough to be drawn.", None)
    peak = max(sample.anon_bytes + sample.file_bytes for sample in samples)
    found = line_of(report, memory.peak_rss_bytes if memory else None)
    limit = found.limit if found else None
    shown = limit is not None and limit <= 2.2 * peak
    unit, name = _unit(peak)
    top = max(peak * 1.18, (limit or 0.0) * 1.08 if shown else 0.0) / unit
    x = svg.Scale(samples[0].at_s, samples[-1].at_s, svg.LEFT, svg.RIGHT)
    y = svg.Scale(0, top, svg.BOTTOM, svg.TOP + 18)  # the names of the phases stand above
    kept = _thinned(samples)
    anon = [(x(s.at_s), y(s.anon_bytes / unit)) for s in kept]
    both = [(x(s.at_s), y((s.anon_bytes + s.file_bytes) / unit)) for s in kept]
    floor = [(x(kept[-1].at_s), y(0)), (x(kept[0].at_s), y(0))]
    parts = [
        svg.y_axis(y, name),
        svg.path([*both, *reversed(anon)], "area-file", closed=True),
        svg.path([*anon, *floor], "area-anon", closed=True),
        svg.path(both, "curve"),
        *_phases(samples, x),
        svg.x_axis(x, "seconds since the process started"),
    ]
    caption = "Anonymous pages below, file-backed ones (the mapped weights) on top."
    baseline = memory.baseline_rss_bytes if memory else None
    if isinstance(baseline, Measured) and report.measurements is not None:
        parts.append(svg.line(svg.LEFT, y(baseline.value / unit), svg.RIGHT, y(baseline.value / unit), "baseline"))
        caption += (
            f" Below the dotted line: {human_bytes(baseline.value)} that {baseline_owner(report.measurements)} took "
            "before the file was opened."
        )
    if shown and found is not None and limit is not None:
        parts.append(svg.line(svg.LEFT, y(limit / unit), svg.RIGHT, y(limit / unit), "limit"))
        parts.append(svg.text(svg.RIGHT, y(limit / unit) - 5, f"limit {limit_value(found)}", "limit-label", "end"))
    elif found is not None:
        caption += f" The limit of {limit_value(found)} is far above."
    anon_peak = max(sample.anon_bytes for sample in samples)
    said = f"peak {human_bytes(peak)} resident, at most {human_bytes(anon_peak)} of it anonymous"
    return svg.Figure(_ID, _TITLE, caption, svg.drawing(_ID, _TITLE, said, parts))


def _unit(peak: float) -> tuple[float, str]:
    return next(
        (1024.0**power, name)
        for power, name in ((3, "GiB"), (2, "MiB"), (0, "B"))
        if peak >= 1024.0**power or not power
    )


def _thinned(samples: Sequence[MemorySample]) -> list[MemorySample]:
    """At most `_POINTS` samples: of each stretch the one that held most, so that no peak is lost."""
    size = -(-len(samples) // _POINTS)
    stretches = (samples[start : start + size] for start in range(0, len(samples), size))
    kept = [max(stretch, key=lambda sample: sample.anon_bytes + sample.file_bytes) for stretch in stretches]
    return sorted(
        {samples[0].at_s: samples[0], **{s.at_s: s for s in kept}, samples[-1].at_s: samples[-1]}.values(), key=_at
    )


def _at(sample: MemorySample) -> float:
    return sample.at_s


def _phases(samples: Sequence[MemorySample], x: svg.Scale) -> list[Markup]:
    """A line where a phase begins, and its name where it has room."""
    parts: list[Markup] = []
    starts = [(phase, next(group).at_s) for phase, group in groupby(samples, key=lambda sample: sample.phase)]
    ends = [start for _, start in starts[1:]] + [samples[-1].at_s]
    for (phase, start), end in zip(starts, ends, strict=True):
        if start > samples[0].at_s:
            parts.append(svg.line(x(start), svg.TOP, x(start), svg.BOTTOM, "phase"))
        if x(end) - x(start) >= _CHARACTER * len(phase) + 8:
            parts.append(svg.text(x(start) + 5, svg.TOP + 10, phase, "faint"))
    return parts
