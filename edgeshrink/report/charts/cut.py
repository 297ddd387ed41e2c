"""What was cut away: each axis of a model as a bar of what it was, filled as far as it was kept, and which layers."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from edgeshrink.core.shrinking import ShrinkStep
from edgeshrink.report.charts import svg
from edgeshrink.report.shrink_told import axis_text

_TITLE = "What was cut away"
_LEFT, _RIGHT = 150.0, 360.0
_ROW = 30.0
_CELLS = 64
"""More layers than that are too thin to be told apart: their bar is one piece."""


def cut_chart(step: ShrinkStep, id: str = "cut") -> svg.Figure:
    """Each axis that changed; of the layers each one, at its place in the model before."""
    pruning = step.pruning
    if pruning is None or not pruning.axes:
        return svg.Figure(id, _TITLE, "No width and no depth was changed.", None)
    parts: list[Markup] = []
    up = svg.TOP - 10
    for name, before, after in pruning.axes:
        parts.append(svg.text(6, up + 13, axis_text(name), "row"))
        layers = pruning.kept_layers if name == "layers" else ()
        parts += _cells(before, layers, up) if layers and before <= _CELLS else _bar(before, after, up)
        parts.append(svg.text(_RIGHT + 10, up + 13, f"{before:,} to {after:,}", "label"))
        up += _ROW
    said = "; ".join(f"{axis_text(name)} {before} to {after}" for name, before, after in pruning.axes)
    caption = "Filled is what was kept."
    if any(name == "layers" for name, _, _ in pruning.axes) and pruning.kept_layers:
        dropped = sorted(set(range(step.before.shape.layers)) - set(pruning.kept_layers))
        caption += f" Dropped layers, counted from 0: {', '.join(map(str, dropped)) or 'none'}."
    return svg.Figure(id, _TITLE, caption, svg.drawing(id, _TITLE, said, parts, height=up + 4))


def _bar(before: int, after: int, up: float) -> list[Markup]:
    width = _RIGHT - _LEFT
    kept = width * after / max(before, 1)
    return [
        svg.element("rect", x=_LEFT, y=up, width=width, height=16.0, class_="bar cut"),
        svg.element("rect", x=_LEFT, y=up, width=min(kept, width), height=16.0, class_="bar kept"),
    ]


def _cells(before: int, kept: Sequence[int], up: float) -> list[Markup]:
    slot = (_RIGHT - _LEFT) / max(before, 1)
    stays = set(kept)
    return [
        svg.element(
            "rect",
            svg.element("title", f"layer {layer}: {'kept' if layer in stays else 'dropped'}"),
            x=_LEFT + layer * slot,
            y=up,
            width=max(slot - 2, 1.0),
            height=16.0,
            class_="bar kept" if layer in stays else "bar cut",
        )
        for layer in range(before)
    ]
