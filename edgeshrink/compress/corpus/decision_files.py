"""What stands beside the rows of a corpus of cases: the held-out decisions, one a line, and how sides open.

decisions.jsonl   {"family", "side", "pair", "ids", "prefix", "opens", "other"}: see `Decision`
openings.json     of each family and each beginning of an answer: the tokens that both sides go on with there
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from edgeshrink.catalog.json_files import read_json
from edgeshrink.compress.corpus.cases import FAMILIES, Family, Side
from edgeshrink.compress.corpus.jsonl_files import jsonl_records
from edgeshrink.errors import DataError

DECISIONS: Final = "decisions.jsonl"
OPENINGS: Final = "openings.json"
Prefix = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """A held-out case before the token that decides. `ids`: all tokens before it, of which the last `prefix` are the
    answer's own (both sides begin so). `opens` is what the first side of the family (a call, a refusal) goes on with in
    this very case, `other` what the second does."""

    family: Family
    side: Side
    pair: str | None
    ids: list[int] = field(repr=False)
    prefix: int
    opens: int
    other: int

    @property
    def begun(self) -> Prefix:
        return tuple(self.ids[len(self.ids) - self.prefix :])

    @property
    def is_first(self) -> bool:
        """Whether the first side is right."""
        return self.side == FAMILIES[self.family][0]


class Openings:
    """Tokens that sides go on with, by what of the answer stands before them. Memory: one entry for each such
    beginning, which are few where answers of both sides begin alike or not at all."""

    def __init__(self) -> None:
        self._sides: dict[tuple[Family, Prefix], tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))

    def see(self, decision: Decision) -> None:
        first, second = self._sides[decision.family, decision.begun]
        first.add(decision.opens)
        second.add(decision.other)

    def of(self, decision: Decision) -> list[int]:
        """The tokens that open the first side of this case; any other token opens the second.

        What opens both sides somewhere says nothing, but for the case's own two.
        """
        first, second = self._sides.get((decision.family, decision.begun), (set[int](), set[int]()))
        return sorted(((first - second) | {decision.opens}) - {decision.other})

    def write(self, folder: Path) -> None:
        entries = [
            {"family": family, "begun": list(begun), "first": sorted(first), "second": sorted(second)}
            for (family, begun), (first, second) in sorted(self._sides.items())
        ]
        (folder / OPENINGS).write_text(json.dumps({"openings": entries}) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Openings:
        """DataError where `folder` is no corpus of cases."""
        found = cls()
        try:
            for entry in read_json(folder / OPENINGS)["openings"]:
                key = (entry["family"], tuple(map(int, entry["begun"])))
                found._sides[key] = (set(map(int, entry["first"])), set(map(int, entry["second"])))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{folder / OPENINGS} is not whole: {error!r}", hint="make the corpus again") from error
        return found


def decision_line(decision: Decision) -> str:
    """JSON with its line's end."""
    return json.dumps(asdict(decision)) + "\n"


def read_decisions(folder: Path) -> Iterator[Decision]:
    """One at a time, in the order of the data. DataError names a line that is none."""
    for where, record in jsonl_records(folder / DECISIONS):
        try:
            yield Decision(**record)
        except TypeError as error:
            raise DataError(f"{where}: not a decision: {error}", hint="make the corpus again") from error


def count_decisions(folder: Path) -> int:
    return sum(1 for _ in read_decisions(folder))


def parting(one: Sequence[int], other: Sequence[int]) -> int | None:
    """The first place at which two lists of tokens differ; None where one begins with all of the other."""
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
