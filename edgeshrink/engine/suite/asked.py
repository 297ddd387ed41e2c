"""One family that asks, on both sides: its items of a round, their answers from the store, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edgeshrink.core.behaviour import Confidence, Slice
from edgeshrink.core.suite import FamilyPlan
from edgeshrink.engine.steps.asking import ANSWERS, Ask
from edgeshrink.engine.suite.examination import Examination, Side, round_factor
from edgeshrink.evaluate.answers import read_answers
from edgeshrink.evaluate.slices import registry
from edgeshrink.evaluate.slices.interface import Score, Settings, SliceFacts
from edgeshrink.evaluate.slices.tally import Tally


class AskedFamily:
    """Not frozen: it counts what every round brings."""

    def __init__(self, examination: Examination, plan: FamilyPlan, settings: Settings) -> None:
        self._examination = examination
        self._plan = plan
        self._settings = replace(settings, options=plan.options, folder=examination.suite.folder)
        self._family = registry.asking(plan.family)
        self._tally: Tally | None = None
        self._exhausted = False
        self._looks = 0
        self._counted = 0
        self.facts: tuple[SliceFacts, ...] = self._family.slices(self._settings)
        self.why_not = "" if self.facts else self._family.why_not(self._settings)
        self.items = 0

    @property
    def name(self) -> str:
        return self._plan.family

    @property
    def exhausted(self) -> bool:
        """Whether it has no more to ask."""
        return self._exhausted or not self.facts

    @property
    def names(self) -> frozenset[str]:
        return frozenset(facts.name for facts in self.facts)

    def ask(self, confidence: Confidence, heard: Callable[[Score], None]) -> None:
        """One more round, unless the family has no more items; `heard` is told every score."""
        if self.exhausted:
            return
        tally = self._tally = self._tally or Tally(self.facts, confidence)
        look, count = self._looks, self._plan.items * round_factor(self._looks)
        reference, candidate = (self._step(side, look, count) for side in self._sides)
        files = (self._examination.run(step).file(ANSWERS) for step in (reference, candidate))
        asked = 0
        for item, (_, told), (_, said) in zip(reference.items(), *map(read_answers, files), strict=True):
            asked += 1
            for score in self._family.score(item, told, said):
                if tally.add(score):
                    heard(score)
        self._looks += 1
        self._counted += count
        self.items += asked
        self._exhausted = asked < count

    def slices(self) -> tuple[Slice, ...]:
        return () if self._tally is None else self._tally.slices()

    @property
    def _sides(self) -> tuple[Side, Side]:
        return self._examination.reference, self._examination.candidate

    def _step(self, side: Side, look: int, count: int) -> Ask:
        return Ask(
            subject=side.subject,
            subject_sha256=side.sha256,
            family=self._plan.family,
            settings=replace(self._settings, before=self._counted),
            seed=self._examination.seed,
            round=look,
            count=count,
            threads=self._examination.threads,
            runtime_build=side.runtime_build,
        )
