"""The tasks of the lm-evaluation-harness in a suite: run on both sides, paired sample by sample."""

from __future__ import annotations

from collections.abc import Mapping

from edgeshrink.core.behaviour import Confidence, Slice
from edgeshrink.engine.steps.harness import SAMPLES, RunHarness
from edgeshrink.engine.suite.examination import Examination, Side
from edgeshrink.evaluate.harness.run import harness_build
from edgeshrink.evaluate.harness.slices import harness_slices, slice_name
from edgeshrink.evaluate.slices.tally import Tally

_DOCUMENTS = 500


class HarnessTasks:
    """Not frozen: it keeps the slices of its one round. ToolMissing where there are tasks and no harness."""

    def __init__(self, examination: Examination) -> None:
        self._examination = examination
        self._tasks = tuple(task for task in examination.suite.harness if examination.wanted(slice_name(task)))
        self._slices: tuple[Slice, ...] = ()
        self.items = 0
        self.notes: tuple[str, ...] = ()
        if self._tasks:
            harness_build()

    def metrics(self) -> Mapping[str, tuple[str, ...]]:
        """Slice -> names of its metrics; of a task the first alone counts, and before it has run that has no name."""
        return {slice_name(task): ("",) for task in self._tasks}

    def run(self, confidence: Confidence) -> None:
        """Every task once."""
        self._slices = tuple(one for task in self._tasks for one in self._paired(task, confidence))
        self.items = sum(one.items for one in self._slices)

    def slices(self) -> tuple[Slice, ...]:
        return self._slices

    def _paired(self, task: str, confidence: Confidence) -> tuple[Slice, ...]:
        reference, candidate = (
            self._examination.run(self._step(task, side)).file(SAMPLES)
            for side in (self._examination.reference, self._examination.candidate)
        )
        facts, scores = harness_slices(task, reference, candidate)
        tally = Tally(facts, confidence)
        for score in scores:
            tally.add(score)
        return tally.slices()

    def _step(self, task: str, side: Side) -> RunHarness:
        examination = self._examination
        return RunHarness(
            subject=side.subject,
            subject_sha256=side.sha256,
            task=task,
            items=examination.suite.harness_items or _DOCUMENTS,
            seed=examination.seed,
            context=examination.context,
            threads=examination.threads,
            runtime_build=side.runtime_build,
        )
