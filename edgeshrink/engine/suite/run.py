"""Run a suite on two models: every family's items, round by round, until the gates are decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edgeshrink.catalog.texts import evaluation_text
from edgeshrink.core.behaviour import BEHAVIOUR_SCHEMA, Behaviour, Confidence, Slice
from edgeshrink.core.suite import TextPlan
from edgeshrink.engine.steps.traits import ReadTraits, stored_traits
from edgeshrink.engine.suite.asked import AskedFamily
from edgeshrink.engine.suite.confidences import Confidences
from edgeshrink.engine.suite.examination import FAMILYWISE, Examination
from edgeshrink.engine.suite.harnessed import HarnessTasks
from edgeshrink.engine.suite.read import ReadTexts
from edgeshrink.evaluate.slices.answers import ANSWER_SLICES, AnswersTally
from edgeshrink.evaluate.slices.interface import Score, Settings, SliceFacts
from edgeshrink.judging.behaviour import judged, undecided


def run_suite(examination: Examination) -> Behaviour:
    """What the suite finds. Every answer is a step of its own, so a run that was broken off goes on where it was.

    Slices whose gates noise leaves open get as many items again, up to `suite.looks` times; all others one round.
    """
    run = _Run(examination)
    behaviour = run.look(None)
    while behaviour.looks < examination.suite.looks:
        still_open = undecided(examination.floor, behaviour, examination.gains)
        if not run.could_tell_more(still_open):
            break
        behaviour = run.look(still_open)
    return behaviour


@dataclass
class _Run:
    """Not frozen: it counts."""

    examination: Examination
    families: list[AskedFamily] = field(init=False)
    texts: ReadTexts = field(init=False)
    harness: HarnessTasks = field(init=False)
    answers: AnswersTally = field(init=False)
    confidence: Confidence = field(init=False)
    certain: Confidences = field(init=False)
    looks: int = 0

    def __post_init__(self) -> None:
        examination = self.examination
        settings = _settings(examination)
        crossing = any(examination.wanted(facts.name) for facts in ANSWER_SLICES)
        families = [AskedFamily(examination, plan, settings) for plan in examination.suite.asking]
        self.families = [
            family for family in families if crossing or any(examination.wanted(name) for name in family.names)
        ]
        self.texts, self.harness = ReadTexts(examination), HarnessTasks(examination)
        facts = tuple(facts for family in self.families for facts in family.facts)
        self.confidence = self._shared(facts)
        self.answers = AnswersTally(facts, self.confidence)
        self.certain = Confidences()

    def look(self, still_open: frozenset[str] | None) -> Behaviour:
        """One round for the slices that are open (None: for all), and what is known after it."""
        if still_open is None:
            self.harness.run(self.confidence)
        for family in self.families:
            if still_open is None or self._touches(family, still_open):
                family.ask(self.confidence, self._heard)
        self.texts.read(self.looks, self._open_texts(still_open))
        self.looks += 1
        return self._behaviour()

    def could_tell_more(self, still_open: frozenset[str]) -> bool:
        """Whether any family or text of an open slice has more to ask."""
        asked = any(self._touches(family, still_open) and not family.exhausted for family in self.families)
        return asked or bool(self._open_texts(still_open))

    def _heard(self, score: Score) -> None:
        self.answers.add(score)
        self.certain.add(score)

    def _touches(self, family: AskedFamily, still_open: frozenset[str]) -> bool:
        return bool(family.names & still_open) or any(facts.name in still_open for facts in ANSWER_SLICES)

    def _open_texts(self, still_open: frozenset[str] | None) -> Sequence[TextPlan]:
        """Those of open slices; all of them where a slice is open that looks at all texts together."""
        plans, reading = self.examination.suite.texts, self.texts.metrics()
        if still_open is None:
            return plans if any(self.examination.wanted(name) for name in reading) else ()
        single = {f"text/{plan.label}": plan for plan in plans}
        if any(name in still_open for name in reading if name not in single):
            return plans
        return tuple(plan for name, plan in single.items() if name in still_open)

    def _shared(self, facts: Sequence[SliceFacts]) -> Confidence:
        """The error of all gates, shared between every figure that a gate will look at, in every look."""
        crossing = ANSWER_SLICES if self.families else ()
        declared = {one.name: tuple(metric.name for metric in one.metrics) for one in (*facts, *crossing)}
        gated = judged(self.examination.floor, {**declared, **self.texts.metrics(), **self.harness.metrics()})
        return Confidence(FAMILYWISE, max(1, len(gated)), self.examination.suite.looks)

    def _slices(self) -> Iterator[Slice]:
        yield from self.texts.slices(self.confidence)
        for family in self.families:
            yield from family.slices()
        if self.families:
            yield from self.answers.slices()
        yield from self.harness.slices()

    def _behaviour(self) -> Behaviour:
        examination = self.examination
        return Behaviour(
            schema=BEHAVIOUR_SCHEMA,
            suite=examination.suite.name,
            seed=examination.seed,
            reference=examination.reference.name,
            looks=self.looks,
            items=sum(family.items for family in self.families) + self.harness.items,
            tokens=self.texts.tokens,
            confidence=self.confidence,
            slices=tuple(one for one in self._slices() if examination.wanted(one.name)),
            reference_bytes_per_token=self.texts.bytes_per_token,
            fallback=self.certain.fallback(examination.seed),
            notes=(*self._not_asked(), *self.texts.notes, *self.harness.notes),
        )

    def _not_asked(self) -> Iterator[str]:
        for family in self.families:
            if family.why_not:
                yield f"{family.name}: {family.why_not}"


def _settings(examination: Examination) -> Settings:
    side = examination.reference
    stored = examination.run(ReadTraits(side.subject, side.sha256, evaluation_text(), side.runtime_build))
    traits = stored_traits(stored.folder)
    return Settings(
        chat=traits.chat,
        context=examination.context,
        characters_per_token=traits.characters_per_token,
        seed=examination.seed,
    )
