"""Drawing with SVG: elements with everything escaped, scales with round ticks, and the frame that all charts share.

Colours are CSS classes of the page, so that the charts follow its light and dark scheme.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from edgeshrink.report.format import plain

WIDTH = 460.0
HEIGHT = 290.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 446.0, 27.0, 246.0


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with its words. `svg` None: there was nothing to draw, and `caption` says why."""

    id: str
    title: str
    caption: str
    svg: Markup | None


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps the values `low` to `high` onto the pixels `start` to `end`, evenly or by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (
            (math.log10(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def within(self, value: float) -> float:
        """The pixel of `value`, or of the end that it lies beyond."""
        return self(min(self.high, max(self.low, value)))

    def ticks(self, wanted: int = 5) -> tuple[float, ...]:
        """Round values within the scale, about `wanted` of them."""
        return _log_ticks(self.low, self.high, wanted) if self.log else _even_ticks(self.low, self.high, wanted)


def element(tag: str, *children: str, **attributes: str | float) -> Markup:
    """`<tag ...>children</tag>`: text is escaped unless it is Markup; `text_anchor` is text-anchor, `class_` class."""
    spelled = Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _spell(value))
        for name, value in attributes.items()
    )
    inner = Markup("").join(child if isinstance(child, Markup) else escape(plain(child)) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), spelled, inner)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def text(x: float, y: float, words: str, class_: str = "label", anchor: str = "start") -> Markup:
    return element("text", words, x=x, y=y, class_=class_, text_anchor=anchor)


def path(points: Sequence[tuple[float, float]], class_: str, *, closed: bool = False) -> Markup:
    steps = " ".join(f"{'L' if index else 'M'}{_spell(x)} {_spell(y)}" for index, (x, y) in enumerate(points))
    return element("path", d=steps + ("Z" if closed else ""), class_=class_)


def tick_text(value: float) -> str:
    """A round number without the zeros that a reading would carry."""
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def x_axis(
    scale: Scale,
    title: str,
    spell: Callable[[float], str] = tick_text,
    *,
    wanted: int = 5,
    bottom: float = BOTTOM,
    left: float = LEFT,
    right: float = RIGHT,
) -> Markup:
    """Ticks and their values below the frame, and the axis' title below them."""
    parts = [line(left, bottom, right, bottom, "axis")]
    for value in scale.ticks(wanted):
        parts.append(line(scale(value), bottom, scale(value), bottom + 4, "axis"))
        parts.append(text(scale(value), bottom + 18, spell(value), anchor="middle"))
    return Markup("").join([*parts, text((left + right) / 2, bottom + 38, title, "title", "middle")])


def y_axis(
    scale: Scale, title: str, spell: Callable[[float], str] = tick_text, *, wanted: int = 5, top: float = TOP
) -> Markup:
    """Lines across the frame with their values at the left, and the axis' title above them."""
    parts = [text(6, top - 14, title, "title")]
    for value in scale.ticks(wanted):
        parts.append(line(LEFT, scale(value), RIGHT, scale(value), "grid"))
        parts.append(text(LEFT - 7, scale(value) + 4, spell(value), anchor="end"))
    return Markup("").join(parts)


def drawing(id: str, title: str, description: str, parts: Sequence[Markup], *, height: float = HEIGHT) -> Markup:
    """The whole SVG, with the words that a screen reader says in its place."""
    return element(
        "svg",
        element("title", title, id=f"{id}-title"),
        element("desc", description, id=f"{id}-desc"),
        *parts,
        viewBox=f"0 0 {_spell(WIDTH)} {_spell(height)}",
        role="img",
        aria_labelledby=f"{id}-title {id}-desc",
        class_="chart",
    )


def _spell(value: str | float) -> str:
    return plain(value) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def _even_ticks(low: float, high: float, wanted: int) -> tuple[float, ...]:
    rough = (high - low) / max(1, wanted)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return tuple(index * step for index in range(first, math.floor(high / step + 1e-9) + 1))


def _log_ticks(low: float, high: float, wanted: int) -> tuple[float, ...]:
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    found: tuple[float, ...] = ()
    for factors in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        found = tuple(f * 10.0**p for p in powers for f in factors if low * 0.999 <= f * 10.0**p <= high * 1.001)
        if len(found) >= min(3, wanted):
            break
    return found or _even_ticks(low, high, wanted)
