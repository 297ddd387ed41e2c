"""Worst items, made fit to look at: the model's words are hostile text, and may be very long."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgeshrink.core.behaviour import Specimen
from edgeshrink.report.behaviour_rows import SliceRow
from edgeshrink.report.behaviour_told import amount
from edgeshrink.report.format import plain

_MOST = 900
_NOTHING = "(nothing)"
_SEEN = {" ": "␣", "\n": "⏎", "\t": "⇥"}


@dataclass(frozen=True, slots=True)
class Parted:
    """One answer: what both models said before and after, and what only this one said between."""

    before: str
    own: str
    after: str


@dataclass(frozen=True, slots=True)
class Side:
    """One worst item, side by side, every text clipped and without control characters. `lost` is "" where it was
    simply right and then wrong."""

    item: str
    lost: str
    prompt: str
    expected: str
    reference: Parted
    candidate: Parted


@dataclass(frozen=True, slots=True)
class WorstItems:
    """Those of one slice. `open`: whether the page shows them at once."""

    name: str
    title: str
    lost: str
    open: bool
    sides: tuple[Side, ...]


def side(specimen: Specimen, unit: str) -> Side:
    reference, candidate = part(clipped(lines_of(specimen.reference)), clipped(lines_of(specimen.candidate)))
    return Side(
        item=plain(specimen.item),
        lost="" if unit == "share" and specimen.loss == 1 else amount(float(f"{specimen.loss:.3g}"), unit),
        prompt=clipped(lines_of(specimen.prompt)) or _NOTHING,
        expected=clipped(lines_of(specimen.expected)),
        reference=reference,
        candidate=candidate,
    )


def worst_items(rows: tuple[SliceRow, ...], lost: dict[str, str]) -> tuple[WorstItems, ...]:
    """Of each slice that has any, in the order of `rows`; the first is open. `lost`: slice name -> loss in words."""
    found: dict[str, WorstItems] = {}
    for row in rows:
        one = row.slice
        if one.worst and one.name not in found:
            sides = tuple(side(specimen, one.metrics[0].unit) for specimen in one.worst)
            found[one.name] = WorstItems(plain(one.name), plain(one.title), lost.get(one.name, ""), not found, sides)
    return tuple(found.values())


def lines_of(text: str) -> str:
    """`text` without what could steer a terminal or a page; its lines stay lines. White space alone is made visible."""
    if text and not text.strip():
        text = "".join(_SEEN.get(char, char) for char in text)
    return "\n".join(plain(line) for line in text.replace("\r\n", "\n").split("\n"))


def clipped(text: str, most: int = _MOST) -> str:
    """At most `most` characters: a long prompt's beginning and, more of it, its end, where the question stands."""
    if len(text) <= most:
        return text
    head = most // 3
    tail = most - head
    return f"{text[:head]} [... {len(text) - most:,} characters ...] {text[-tail:]}"


def part(one: str, other: str) -> tuple[Parted, Parted]:
    """Both texts, parted at whole words where they begin and end to differ."""
    words, others = (re.findall(r"\s+|\S+", text) for text in (one, other))
    most = min(len(words), len(others))
    start = next((at for at in range(most) if words[at] != others[at]), most)
    rest = most - start
    end = next((at for at in range(rest) if words[-1 - at] != others[-1 - at]), rest)
    return _parted(words, start, end), _parted(others, start, end)


def _parted(words: list[str], start: int, end: int) -> Parted:
    if not words:
        return Parted("", _NOTHING, "")
    stop = len(words) - end
    return Parted("".join(words[:start]), "".join(words[start:stop]), "".join(words[stop:]))
