"""Size against quality: what each built scheme lost, and where the schemes that were not built would stand in size."""

from __future__ import annotations

from markupsafe import Markup

from edgeshrink.core.reading import Estimate, Measured, Unmeasured
from edgeshrink.core.report import Report, Rung
from edgeshrink.core.verdict import Outcome, VerdictLine
from edgeshrink.report.charts import svg
from edgeshrink.report.comparison import MEAN_KL, SIZE, find_line
from edgeshrink.report.format import human_bytes, limit_value, number

_ID = "size-quality"
_TITLE = "Size against quality"
_NEAR = 13.0
_BAND = 62.0  # below the points, for the names of what was not built
_MIB = 1024.0 * 1024.0


def size_quality_chart(report: Report) -> svg.Figure:
    """Measured rungs as points with their intervals; every other candidate as a tick at its predicted size."""
    measured = [(rung, rung.mean_kl) for rung in report.ladder if isinstance(rung.mean_kl, Measured)]
    if not measured:
        reasons = [rung.mean_kl.reason for rung in report.ladder if isinstance(rung.mean_kl, Unmeasured)]
        return svg.Figure(_ID, _TITLE, reasons[0] if reasons else "No scheme was compared with a source.", None)
    kl_line, size_line = find_line(report, MEAN_KL), find_line(report, SIZE)
    ticks = _predicted(report)
    bottom = svg.BOTTOM - (_BAND if ticks else 0.0)
    x = _size_scale([float(rung.artifact_bytes) for rung, _ in measured] + [size for _, size in ticks], size_line)
    y = _kl_scale([kl for _, kl in measured], kl_line, bottom)
    parts = [
        svg.y_axis(y, "mean KL to the reference, nats per token" + (" (log)" if y.log else "")),
        svg.x_axis(x, "file size, MiB" + (" (log)" if x.log else "")),
        *_limits(x, y, size_line, kl_line),
        *_ticks(x, ticks),
    ]
    for rung, kl in measured:
        parts += _point(x, y, rung, kl, chosen=rung.scheme == report.artifact.scheme)
    said = "; ".join(f"{r.scheme}: {human_bytes(r.artifact_bytes)}, mean KL {number(kl.value)}" for r, kl in measured)
    caption = "Points were built and measured, with a 95 % interval; lower and further left is better."
    if ticks:
        caption += (
            " Ticks on the axis are candidates that were not built, at their predicted size: their quality is unknown."
        )
    return svg.Figure(_ID, _TITLE, caption, svg.drawing(_ID, _TITLE, said, parts))


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


def _kl_scale(readings: list[Measured], limit: VerdictLine | None, bottom: float) -> svg.Scale:
    values = [v for r in readings for v in (r.value, r.low, r.high) if v is not None] + ([limit.limit] if limit else [])
    if min(values) > 0 and max(values) > 4 * min(values):
        return svg.Scale(min(values) / 1.6, max(values) * 1.6, bottom, svg.TOP, log=True)
    return svg.Scale(min(0.0, min(values)), (max(values) or 1.0) * 1.15, bottom, svg.TOP)


def _limits(x: svg.Scale, y: svg.Scale, size: VerdictLine | None, kl: VerdictLine | None) -> list[Markup]:
    parts = []
    if kl and kl.limit > 0:
        up = y(kl.limit)
        parts += [svg.line(svg.LEFT, up, svg.RIGHT, up, "limit")]
        parts += [svg.text(svg.RIGHT, up - 5, f"limit {limit_value(kl)}", "limit-label", "end")]
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


def _point(x: svg.Scale, y: svg.Scale, rung: Rung, kl: Measured, *, chosen: bool) -> list[Markup]:
    at, up = x(rung.artifact_bytes / _MIB), y(kl.value if kl.value > 0 or not y.log else y.low)
    parts = []
    if kl.low is not None and kl.high is not None:
        low = kl.low if kl.low > 0 or not y.log else y.low
        parts.append(svg.line(at, y(low), at, y(kl.high), "whisker"))
    if chosen:
        parts.append(svg.element("circle", cx=at, cy=up, r=10, class_="ring"))
    title = svg.element(
        "title", f"{rung.scheme}: {human_bytes(rung.artifact_bytes)}, {number(kl.value)}, {rung.outcome}"
    )
    parts.append(_mark(rung.outcome, at, up, title))
    right = at > svg.RIGHT - 90
    parts.append(svg.text(at - 15 if right else at + 15, up + 4, rung.scheme, "name", "end" if right else "start"))
    return parts


def _mark(outcome: Outcome, at: float, up: float, title: Markup) -> Markup:
    """A shape of its own for each outcome, so that nobody has to tell colours apart."""
    if outcome == "FAIL":
        points = " ".join(f"{at + dx:.1f},{up + dy:.1f}" for dx, dy in ((0, -6.5), (6.5, 5.5), (-6.5, 5.5)))
        return svg.element("polygon", title, points=points, class_="mark fail")
    return svg.element("circle", title, cx=at, cy=up, r=5.5, class_=f"mark {outcome.lower()}")
