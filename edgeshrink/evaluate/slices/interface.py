"""What a family of slices is. One that asks makes items and scores answers; one that reads looks at scored text.

A family is a module; `registry.py` names them all. Everything in it is pure and seeded: the same arguments give the
same items on every machine, and another seed gives other items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal, Protocol

from edgeshrink.core.behaviour import Confidence, Slice, Specimen
from edgeshrink.evaluate.bits import Bits
from edgeshrink.evaluate.distances import Distances
from edgeshrink.evaluate.probes import Answer, Probe

Value = float | tuple[float, float]
"""Of one item and model: a number; for "calibration error" (confidence, 1.0 where right else 0.0)."""


@dataclass(frozen=True, slots=True)
class MetricFacts:
    """`kind`: "share" of items (values 0 or 1), "mean" of numbers, or expected "calibration error" over pairs.

    `distance`: of candidate to reference, the reference's own value being 0.
    """

    name: str
    kind: Literal["share", "mean", "calibration error"]
    unit: str = "share"
    better: Literal["higher", "lower"] = "higher"
    distance: bool = False


@dataclass(frozen=True, slots=True)
class SliceFacts:
    """`chance`: what guessing scores by the first metric; None where that has no meaning. A reference whose interval
    does not stand clear of it cannot do the task, and nothing is claimed."""

    name: str
    title: str
    metrics: tuple[MetricFacts, ...]
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What is known of the reference when items are made. `chat`: its file has a chat template. `context`: tokens that
    an item with its answer may take; `characters_per_token` is measured on the shipped text. `options`: the family's
    own, from the suite. `folder`: where relative paths in them begin. `seed` is the suite's, and `before` the number of
    items of the family that earlier rounds asked: a family that reads a file goes on where it stopped."""

    chat: bool
    context: int
    characters_per_token: float
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    seed: int = 0
    before: int = 0

    @property
    def characters(self) -> int:
        """That fit the context, with some room left."""
        return int(0.85 * self.context * self.characters_per_token)


@dataclass(frozen=True, slots=True)
class Item:
    """`id` is unique within family and seed. `facts`: what scoring needs, as JSON values."""

    id: str
    probes: tuple[Probe, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shown:
    """An item as a person would look at it."""

    prompt: str
    expected: str
    reference: str
    candidate: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A task's answer: `confidence` as in probes.Said, at each of TEMPERATURES. `written`: token by token, as an app
    gets its answers; else it was chosen among options."""

    right: bool
    confidence: tuple[float, ...]
    written: bool = True


@dataclass(frozen=True, slots=True)
class Score:
    """What one item says for one slice: `values` metric -> (reference's, candidate's). `parts`: those of the slice that
    it counts in. `answered`: both models' answers, where this score is the item's task itself: flips, the calibration
    of answers and the fallback are counted over these, so one item has it in one slice at most."""

    slice: str
    item: str
    values: Mapping[str, tuple[Value, Value]]
    shown: Shown
    parts: tuple[str, ...] = ()
    answered: tuple[Answered, Answered] | None = None


class AskingFamily(Protocol):
    """Asks probes, and scores each item by the answers of both models. `OPTIONS`: names of all that it takes."""

    NAME: str
    OPTIONS: tuple[str, ...]

    def slices(self, settings: Settings) -> tuple[SliceFacts, ...]:
        """All that it can fill. Empty where it has nothing to ask such a model: then `why_not` says why."""

    def why_not(self, settings: Settings) -> str:
        """Why `slices` is empty, for a person."""

    def items(self, settings: Settings, random: Random, count: int) -> Iterator[Item]:
        """`count` items (fewer only where a file has no more)."""

    def score(self, item: Item, reference: Sequence[Answer], candidate: Sequence[Answer]) -> Iterator[Score]:
        """One Score for each slice that the item speaks for; answers stand in the order of the item's probes."""


@dataclass(frozen=True, slots=True)
class ReadText:
    """One labelled text ("general", "code", "de") as both models read it: `distances` in windows of `scored_each`
    positions, which begin at `first` of each window. `apart`: why the models' vocabularies have no distance; then
    `distances` are empty, and `bits` are all there is."""

    label: str
    title: str
    windows: int
    first: int
    scored_each: int
    distances: Distances = field(repr=False)
    worst: tuple[Specimen, ...] = ()
    """The positions that diverge most: what stands before, what follows, what each model holds most probable."""
    bits: Bits | None = field(default=None, repr=False)
    apart: str = ""

    @property
    def positions(self) -> int:
        """Those that are scored."""
        return self.windows * self.scored_each


class ReadingFamily(Protocol):
    """Looks at all texts, read once for every such family."""

    NAME: str

    def metrics(self, labels: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Slice -> its metrics' names, the gated one first, of all that it gives for texts of these labels."""

    def slices(self, texts: Sequence[ReadText], confidence: Confidence) -> Iterator[Slice]:
        """What the texts come to; several of one label are rounds of the same text."""
