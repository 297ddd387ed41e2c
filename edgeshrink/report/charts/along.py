"""A distance along the position in the context: does it grow the further the model reads?"""

from __future__ import annotations

from edgeshrink.core.behaviour import Slice
from edgeshrink.core.reading import Measured
from edgeshrink.report.charts import svg

_TITLE = "Along the position"


def along_chart(one: Slice) -> svg.Figure | None:
    """The parts of `one`, which stand in the order of their positions; None where fewer than two were measured."""
    found = [(part, part.metric.candidate) for part in one.parts]
    points = [(part.name, reading) for part, reading in found if isinstance(reading, Measured)]
    if len(points) < 2:
        return None
    id = f"along-{one.name.replace('/', '-')}"
    metric = one.parts[0].metric
    highest = max(reading.high if reading.high is not None else reading.value for _, reading in points)
    y = svg.Scale(0.0, highest * 1.1 or 1.0, svg.BOTTOM, svg.TOP)
    step = (svg.RIGHT - svg.LEFT) / len(points)
    names = _short([name for name, _ in points])
    parts = [
        svg.y_axis(y, f"{metric.name}, {metric.unit}"),
        svg.line(svg.LEFT, svg.BOTTOM, svg.RIGHT, svg.BOTTOM, "axis"),
    ]
    places = [(svg.LEFT + step * (index + 0.5), y(reading.value)) for index, (_, reading) in enumerate(points)]
    parts.append(svg.path(places, "curve"))
    every = -(-len(points) // 5)
    for index, ((name, reading), (at, up)) in enumerate(zip(points, places, strict=True)):
        if reading.low is not None and reading.high is not None:
            parts.append(svg.line(at, y(max(0.0, reading.low)), at, y(reading.high), "whisker"))
        title = svg.element("title", f"{name}: {svg.tick_text(reading.value)} {metric.unit}")
        parts.append(svg.element("circle", title, cx=at, cy=up, r=4.5, class_="mark data"))
        if index % every == 0:
            parts.append(svg.text(at, svg.BOTTOM + 18, names[index], anchor="middle"))
    parts.append(svg.text((svg.LEFT + svg.RIGHT) / 2, svg.BOTTOM + 38, "tokens before it", "title", "middle"))
    said = "; ".join(f"{name}: {svg.tick_text(reading.value)}" for name, reading in points)
    caption = f"{one.title}: {metric.name} to the reference, with a 95 % interval. Flat is good: it does not grow."
    return svg.Figure(id, f"{_TITLE}: {one.name}", caption, svg.drawing(id, _TITLE, said, parts))


def _short(names: list[str]) -> list[str]:
    """Without the words that all begin with."""
    words = [name.split(" ") for name in names]
    shared = next((at for at, found in enumerate(zip(*words, strict=False)) if len(set(found)) > 1), 0)
    return [" ".join(each[shared:]) for each in words]
