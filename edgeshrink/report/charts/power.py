"""Power over time: what the sensor showed, the rest before, the decodes that the energy is of."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from edgeshrink.core.power import PowerRecord, PowerSample
from edgeshrink.core.reading import Measured
from edgeshrink.report.charts import svg
from edgeshrink.report.format import number
from edgeshrink.report.session_told import power_source, power_text

_ID = "power"
_TITLE = "Power over time"
_STRETCHES = 220


def power_chart(power: PowerRecord) -> svg.Figure:
    """Watts from zero up, with rest and decode as measured; the decodes shaded where they are known."""
    samples = power.timeline
    if len(samples) < 2 or samples[-1].at_s <= samples[0].at_s:
        return svg.Figure(_ID, _TITLE, "Power was not sampled often enough to be drawn.", None)
    start, end = samples[0].at_s, samples[-1].at_s
    levels = [reading.value for reading in (power.baseline_w, power.decode_w) if isinstance(reading, Measured)]
    most = max([sample.watts for sample in samples] + levels)
    x = svg.Scale(0.0, end - start, svg.LEFT, svg.RIGHT)
    y = svg.Scale(min(0.0, *(sample.watts for sample in samples)), most * 1.15 or 1.0, svg.BOTTOM, svg.TOP + 18)
    spans = [("rest", power.idle)] if power.idle else []
    windows = [_window(begin - start, stop - start, x, "window") for begin, stop in power.decodes]
    windows += [_window(span[0] - start, span[1] - start, x, "window rest") for _, span in spans]
    curve = svg.path([(x(sample.at_s - start), y(sample.watts)) for sample in _thinned(samples)], "curve thin")
    parts = [
        *windows,
        svg.y_axis(y, "watts"),
        curve,
        *_levels(power, y),
        svg.x_axis(x, "seconds since the first reading"),
    ]
    said = f"{power_text(power)}; {power_source(power)}"
    caption = f"{said[:1].upper()}{said[1:].rstrip('.')}."
    if power.decodes:
        caption += " Shaded: the decodes that the energy is of"
        caption += ", and in grey the rest before." if power.idle else "."
    return svg.Figure(_ID, _TITLE, caption, svg.drawing(_ID, _TITLE, said, parts))


def _window(start: float, end: float, x: svg.Scale, class_: str) -> Markup:
    left, right = (x(min(max(at, x.low), x.high)) for at in (start, end))
    return svg.element(
        "rect", x=left, y=svg.TOP, width=max(0.0, right - left), height=svg.BOTTOM - svg.TOP, class_=class_
    )


def _levels(power: PowerRecord, y: svg.Scale) -> list[Markup]:
    """A line at each mean, with its name at the right, where the two do not run into each other."""
    parts: list[Markup] = []
    for name, reading, class_ in (("at rest", power.baseline_w, "baseline"), ("decode", power.decode_w, "p95")):
        if isinstance(reading, Measured) and y.low <= reading.value <= y.high:
            up = y(reading.value)
            parts.append(svg.line(svg.LEFT, up, svg.RIGHT, up, class_))
            words = f"{name} {number(reading.value)} W"
            parts.append(svg.text(svg.RIGHT, up + (14 if name == "at rest" else -6), words, "name", "end"))
    return parts


def _thinned(samples: Sequence[PowerSample]) -> list[PowerSample]:
    """Of each of at most `_STRETCHES` stretches the least and the greatest, in order: no peak is lost."""
    size = -(-len(samples) // _STRETCHES)
    kept: dict[float, PowerSample] = {}
    for start in range(0, len(samples), size):
        stretch = samples[start : start + size]
        for sample in (min(stretch, key=_watts), max(stretch, key=_watts)):
            kept[sample.at_s] = sample
    return [kept[at] for at in sorted(kept)]


def _watts(sample: PowerSample) -> float:
    return sample.watts
