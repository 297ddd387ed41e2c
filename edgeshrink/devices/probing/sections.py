"""The answer to a script, taken apart: sections by name, files by path. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from edgeshrink.core.plain import plain
from edgeshrink.errors import DeviceError

# What the scripts keep to; a device that sends more is cut, not believed.
_MOST_SECTIONS = 8192
_MOST_LINES = 20_000
_LONGEST_LINE = 4096


@dataclass(frozen=True, slots=True)
class Sections:
    """`text` of each section; `shown`: of the files that were asked for by pattern; `denied`: what may not be read."""

    text: Mapping[str, str]
    shown: Mapping[str, str] = field(default_factory=dict)
    denied: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> str:
        """The section's text, "" where there is none."""
        return self.text.get(name, "")

    def number(self, name: str) -> int | None:
        """The section as a whole number."""
        return whole(self[name])

    def below(self, pattern: str) -> Iterator[tuple[str, str]]:
        """(what the group in `pattern` matched, text) of every section whose name it matches, numbers in their order.

        Where there is no group, the name itself.
        """
        for name in sorted(self.text, key=_natural):
            if match := re.fullmatch(pattern, name):
                yield match[match.lastindex or 0], self.text[name]


def read_sections(answer: str, marker: str) -> Sections:
    """DeviceError where the answer has no end: the script did not run, or not to its end."""
    text: dict[str, list[str]] = {}
    shown: dict[str, list[str]] = {}
    denied: dict[str, None] = {}
    lines: list[str] = []
    name = ""
    for line in answer.split("\n"):
        if line.startswith("|"):
            if len(lines) < _MOST_LINES:
                lines.append(line[1 : _LONGEST_LINE + 1].rstrip("\r"))
        elif line.startswith(marker):
            sign, name_here = line[len(marker) : len(marker) + 1], line[len(marker) + 1 :].rstrip("\r")
            if sign == ".":
                return Sections(_joined(text), _joined(shown), tuple(denied))
            if sign == "!" and len(denied) < _MOST_SECTIONS:
                denied[name] = None
            elif sign in ("=", "+"):
                name, lines = name_here[:_LONGEST_LINE], []
                if len(text) + len(shown) < _MOST_SECTIONS:
                    # A name that comes twice keeps its first text.
                    (text if sign == "=" else shown).setdefault(name, lines)
    raise DeviceError("the device did not answer the probe to its end", hint="see that `sh` and `cat` run on it")


def _joined(sections: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: "\n".join(lines).strip("\0 \t\n\r") for name, lines in sections.items()}


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """cpu2 before cpu10."""
    parts: list[str] = re.findall(r"[0-9]{1,9}|[^0-9]+", name)
    return tuple((int(part), "") if "0" <= part[0] <= "9" else (-1, part) for part in parts)


def clean(text: str, limit: int = 160) -> str:
    """One line for people: nothing that steers a terminal, single spaces, cut at `limit`."""
    return " ".join(plain(text[: 4 * limit]).split())[:limit].strip()


def whole(text: str) -> int | None:
    """The whole number that the text is; None where it is none, or one of more than 18 digits."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None


def within(value: float | None, low: float, high: float) -> bool:
    """A number in this range."""
    return value is not None and low <= value <= high
