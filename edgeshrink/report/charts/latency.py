"""Latency: how the pauses between tokens are distributed, and the time to the first one by prompt length."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from edgeshrink.core.measurement import Measurements
from edgeshrink.core.reading import Measured
from edgeshrink.report.charts import svg
from edgeshrink.report.charts.columns import Column, columns_drawing
from edgeshrink.report.format import number

_POINTS = 400
_CHARACTER = 7.0
_TOKEN_TITLE = "Pauses between tokens"
_TTFT_TITLE = "Time to the first token"


def inter_token_chart(measurements: Measurements) -> svg.Figure:
    """The share of pauses that are at most so long, with the percentiles that were measured."""
    samples = sorted(measurements.inter_token_samples_ms)
    if len(samples) < 2:
        return svg.Figure(
            "inter-token", _TOKEN_TITLE, "Too few pauses were timed to show how they are distributed.", None
        )
    log = samples[0] > 0 and samples[-1] > 20 * samples[0]
    low, high = samples[0], max(samples[-1], samples[0] * 1.02 + 1e-6)
    room = 0.0 if log else (high - low) * 0.04
    x = svg.Scale(
        low / 1.1 if log else max(0.0, low - room), high * 1.1 if log else high + room, svg.LEFT, svg.RIGHT, log
    )
    y = svg.Scale(0, 100, svg.BOTTOM, svg.TOP)
    parts = [
        svg.y_axis(y, "share of pauses that are at most as long", lambda value: f"{value:.0f} %"),
        svg.x_axis(x, "milliseconds" + (" (log)" if log else "")),
        svg.path(_steps(samples, x, y), "curve"),
    ]
    figures = (
        ("p50", 50, measurements.inter_token_p50_ms),
        ("p95", 95, measurements.inter_token_p95_ms),
        ("p99", 99, measurements.inter_token_p99_ms),
    )
    said = [f"{name} {number(r.value)} ms" for name, _, r in figures if isinstance(r, Measured)]
    for index, (name, share, reading) in enumerate(figures):
        if isinstance(reading, Measured) and x.low <= reading.value <= x.high:
            parts += _percentile(x(reading.value), y(share), f"{name} {number(reading.value)} ms", index)
    caption = f"{len(samples):,} pauses over {measurements.repetitions} repetitions."
    return svg.Figure(
        "inter-token",
        _TOKEN_TITLE,
        caption,
        svg.drawing("inter-token", _TOKEN_TITLE, ", ".join(said) or caption, parts),
    )


def ttft_chart(measurements: Measurements) -> svg.Figure:
    """Every prefill that was timed, with median and 95th percentile, prompt length by prompt length."""
    points = [point for point in measurements.prefill if point.ttft_samples_ms]
    if not points:
        return svg.Figure("ttft", _TTFT_TITLE, "No prompt was timed.", None)
    columns = [
        Column(f"{point.prompt_tokens:,}", point.ttft_samples_ms, point.ttft_p50_ms, point.ttft_p95_ms)
        for point in points
    ]
    caption = "A dot is one prefill; the line is the median, the dashed one the 95th percentile where there are enough."
    return svg.Figure(
        "ttft", _TTFT_TITLE, caption, columns_drawing("ttft", _TTFT_TITLE, columns, "prompt length, tokens")
    )


def _steps(samples: Sequence[float], x: svg.Scale, y: svg.Scale) -> list[tuple[float, float]]:
    count = len(samples)
    picked = sorted({round(i * (count - 1) / (min(count, _POINTS) - 1)) for i in range(min(count, _POINTS))})
    points = [(x(samples[0]), y(0))]
    for index in picked:
        points += [(x(samples[index]), points[-1][1]), (x(samples[index]), y(100 * (index + 1) / count))]
    return [*points, (svg.RIGHT, y(100))]


def _percentile(at: float, up: float, words: str, index: int) -> list[Markup]:
    """A leader down from the curve and over to the free corner. A later percentile turns higher, so none cross."""
    level = svg.BOTTOM - 18 - 24 * index
    start = svg.RIGHT - _CHARACTER * len(words)
    parts = [svg.element("circle", cx=at, cy=up, r=3.5, class_="mark data")]
    if at < start - 4:
        return [
            svg.path([(at, up), (at, level), (start - 4, level)], "leader"),
            *parts,
            svg.text(svg.RIGHT, level + 4, words, "name", "end"),
        ]
    return [svg.path([(at, up), (at, level)], "leader"), *parts, svg.text(at - 6, level + 4, words, "name", "end")]
