"""Size against quality: what each built scheme lost, and where the schemes that were not built would stand in size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup

from edgeshrink.core.quality import NetworkQuality
from edgeshrink.core.reading import Estimate, Measured, Reading, Unmeasured
from edgeshrink.core.report import Report, Rung
from edgeshrink.core.verdict import VerdictLine
from edgeshrink.report.charts import svg
from edgeshrink.report.charts.outcome_mark import outcome_mark
from edgeshrink.report.figures import chosen_rung
from edgeshrink.report.format import human, human_bytes, limit_value, number
from edgeshrink.report.predicted import line_of, size_line

_ID = "size-quality"
_TITLE = "Size against quality"
_NEAR = 13.0
_BAND = 62.0  # below the points, for the names of what was not built
_MIB = 1024.0 * 1024.0


@dataclass(frozen=True, slots=True)
class _Distance:
    """What the vertical axis shows: 0 is equal to the reference. A network's is 1 - cosine."""

    axis: str
    name: str
    of: Callable[[Rung], Reading | None]
    limit: Callable[[float], float]
    limit_text: Callable[[VerdictLine], str]
    spell: Callable[[float], str]


_KL = _Distance(
    "mean KL to the reference, nats per token",
    "mean KL",
    lambda rung: rung.mean_kl,
    lambda limit: limit,
    limit_value,
    number,
)
_COSINE = _Distance(
    "1 - cosine of the outputs, to the float network",
    "output cosine",
    lambda rung: _away(rung.cosine),
    lambda limit: 1 - limit,
    lambda line: f"cosine {limit_value(line)}",
    lambda distance: human(1 - distance, "cosine"),
)


def size_quality_chart(report: Report) -> svg.Figure:
    """Measured rungs as points with their intervals; every other candidate as a tick at its predicted size."""
    distance = _COSINE if any(rung.cosine is not None for rung in report.ladder) else _KL
    readings = [(rung, distance.of(rung)) for rung in report.ladder]
    last = chosen_rung(report)
    chosen = None if last is None else report.ladder[last]
    measured = [(rung, reading) for rung, reading in readings if isinstance(reading, Measured)]
    if not measured:
        reasons = [reading.reason for _, reading in readings if isinstance(reading, Unmeasured)]
        return svg.Figure(_ID, _TITLE, reasons[0] if reasons else "No scheme was compared with a source.", None)
    limit, size_limit = _quality_line(report), size_line(report)
    highest = None if limit is None else distance.limit(limit.limit)
    ticks = _predicted(report)
    bottom = svg.BOTTOM - (_BAND if ticks else 0.0)
    x = _size_scale([float(rung.artifact_bytes) for rung, _ in measured] + [size for _, size in ticks], size_limit)
    y = _distance_scale([reading for _, reading in measured], highest, bottom)
    parts = [
        svg.y_axis(y, distance.axis + (" (log)" if y.log else "")),
        svg.x_axis(x, "file size, MiB" + (" (log)" if x.log else "")),
        *_limits(x, y, size_limit, highest, "" if limit is None else distance.limit_text(limit)),
        *_ticks(x, ticks),
    ]
    for rung, reading in measured:
        parts += _point(x, y, rung, reading, distance, chosen=rung is chosen)
    said = "; ".join(
        f"{rung.scheme}: {human_bytes(rung.artifact_bytes)}, {distance.name} {distance.spell(reading.value)}"
        for rung, reading in measured
    )
    caption = "Points were built and measured, with a 95 % interval; lower and further left is better."
    if distance is _COSINE:
        caption = "Points were built and measured; lower and further left is better."
    if ticks:
        caption += (
            " Ticks on the axis are candidates that were not built, at their predicted size: their quality is unknown."
        )
    return svg.Figure(_ID, _TITLE, caption, svg.drawing(_ID, _TITLE, said, parts))


def _quality_line(report: Report) -> VerdictLine | None:
    quality = report.quality
    if isinstance(quality, NetworkQuality):
        return line_of(report, quality.cosine_mean)
    return None if quality is None else line_of(report, quality.mean_kl)


def _away(cosine: Reading | None) -> Reading | None:
    """1 - cosine; of float rounding nothing is left below zero."""
    if not isinstance(cosine, Measured):
        return cosine
    low, high = (None if bound is None else max(0.0, 1 - bound) for bound in (cosine.high, cosine.low))
    return Measured(max(0.0, 1 - cosine.value), cosine.n, low, high, cosine.how)


def _predicted(report: Report) -> list[tuple[str, float]]:
    built = {rung.scheme for rung in report.ladder}
    sizes = [(c.scheme, c.predictions.artifact_bytes) for c in report.candidates if c.scheme not in built]
    return sorted(((name, size.value) for name, size in sizes if isinstance(size, Estimate)), key=lambda item: item[1])


def _size_scale(sizes: list[float], limit: VerdictLine | None) -> svg.Scale:
    low, high = min(sizes) / _MIB, max(sizes) / _MIB
    if limit is not None and limit.limit <= 1.6 * high * _MIB:
        high = max(high, limit.limit / _MIB)
    if high > 2 * low > 0:
        return svg.Scale(low / 1.08, high * 1.08, svg.LEFT, svg.RIGHT, log=True)
    room = max(high - low, high * 0.1) * 0.08
    return svg.Scale(max(0.0, low - room), high + room, svg.LEFT, svg.RIGHT)


def _distance_scale(readings: list[Measured], limit: float | None, bottom: float) -> svg.Scale:
    values = [v for r in readings for v in (r.value, r.low, r.high) if v is not None] + ([limit] if limit else [])
    if min(values) > 0 and max(values) > 4 * min(values):
        return svg.Scale(min(values) / 1.6, max(values) * 1.6, bottom, svg.TOP, log=True)
    return svg.Scale(min(0.0, min(values)), (max(values) or 1.0) * 1.15, bottom, svg.TOP)


def _limits(x: svg.Scale, y: svg.Scale, size: VerdictLine | None, highest: float | None, spelled: str) -> list[Markup]:
    parts = []
    if highest is not None and highest > 0:
        up = y(highest)
        parts += [svg.line(svg.LEFT, up, svg.RIGHT, up, "limit")]
        parts += [svg.text(svg.RIGHT, up - 5, f"limit {spelled}", "limit-label", "end")]
    if size and x.low <= size.limit / _MIB <= x.high:
        at = x(size.limit / _MIB)
        parts += [svg.line(at, svg.TOP, at, svg.BOTTOM, "limit")]
        side, anchor = (-5.0, "end") if at > svg.RIGHT - 90 else (5.0, "start")
        parts += [svg.text(at + side, svg.TOP + 10, f"limit {limit_value(size)}", "limit-label", anchor)]
    return parts


def _ticks(x: svg.Scale, candidates: list[tuple[str, float]]) -> list[Markup]:
    parts: list[Markup] = []
    last = -_NEAR
    for scheme, size in candidates:
        at = x(size / _MIB)
        title = svg.element("title", f"{scheme}: predicted {human_bytes(size)}, not built")
        mark = svg.element("line", title, x1=at, y1=svg.BOTTOM - 9, x2=at, y2=svg.BOTTOM, class_="tick")
        parts.append(mark)
        if at - last >= _NEAR:
            parts.append(
                svg.element(
                    "text",
                    scheme,
                    class_="faint",
                    transform=f"translate({at + 4:.1f} {svg.BOTTOM - 13:.1f}) rotate(-90)",
                )
            )
            last = at
    return parts


def _point(
    x: svg.Scale, y: svg.Scale, rung: Rung, reading: Measured, distance: _Distance, *, chosen: bool
) -> list[Markup]:
    at, up = x(rung.artifact_bytes / _MIB), y(reading.value if reading.value > 0 or not y.log else y.low)
    parts = []
    if reading.low is not None and reading.high is not None:
        low = reading.low if reading.low > 0 or not y.log else y.low
        parts.append(svg.line(at, y(low), at, y(reading.high), "whisker"))
    if chosen:
        parts.append(svg.element("circle", cx=at, cy=up, r=10, class_="ring"))
    spelled = f"{distance.name} {distance.spell(reading.value)}"
    title = svg.element("title", f"{rung.scheme}: {human_bytes(rung.artifact_bytes)}, {spelled}, {rung.outcome}")
    parts.append(outcome_mark(rung.outcome, at, up, title))
    right = at > svg.RIGHT - 90
    parts.append(svg.text(at - 15 if right else at + 15, up + 4, rung.scheme, "name", "end" if right else "start"))
    return parts
