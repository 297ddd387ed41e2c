"""Train a student, in one run or in segments between which the suite looks at it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.distill.objectives import BUILD
from edgeshrink.compress.distill.objectives.parameters import Parameters
from edgeshrink.compress.distill.teacher_cache.cache import TeacherCache
from edgeshrink.compress.distill.teacher_cache.settings import CacheSettings
from edgeshrink.compress.distill.vocabularies import shared_vocabulary
from edgeshrink.compress.training.order import TrainingOrder
from edgeshrink.compress.training.record import read_record
from edgeshrink.core.shrinking_request import Teaching
from edgeshrink.core.suite import Suite
from edgeshrink.core.training import GateCheck, TextSource, TrainingRecord, TrainingSettings
from edgeshrink.engine.shrink.aims import corpus_for
from edgeshrink.engine.shrink.examined import Look
from edgeshrink.engine.shrink.forms import Form, check_form, form_for
from edgeshrink.engine.shrink.source import SMALLER, TRAINED, Source, source_of, torch_pins
from edgeshrink.engine.steps.cutting import MODEL
from edgeshrink.engine.steps.merging import MergeAdapter
from edgeshrink.engine.steps.self_written import FILE
from edgeshrink.engine.steps.sequences import ACCEPTED
from edgeshrink.engine.steps.teacher_cache import WriteTeacherCache
from edgeshrink.engine.steps.training import STATE, Heard, TrainStudent
from edgeshrink.store import Stored

PATIENCE = 2
"""Looks of the suite without an improvement after which a run ends."""


@dataclass(frozen=True, slots=True)
class Taught:
    """A trained student: the best that any look saw, else the last. `record` is of the whole run, `corpus` what it
    learnt from. `adapter`: the folder of the low-rank updates that `student` has in its weights, where they were
    trained alone."""

    student: Source
    record: TrainingRecord
    corpus: Stored
    adapter: Path | None = None


def taught(
    teacher: Source, student: Source, teaching: Teaching, suite: Suite | None, *, heard: Heard, look: Look | None = None
) -> Taught:
    """Train `student` on what `teaching` names and `suite` does not ask. With `look` and `teaching.check_every`, the
    suite decides when to stop: at the first look that every gate passes, or after PATIENCE looks in a row that saw
    nothing better."""
    check_form(student, teaching)
    corpus = corpus_for(teacher, student, teaching, suite)
    run = _run(teacher, student, teaching, corpus, heard)
    if look is None or teaching.check_every is None:
        last = run.segment(None, None)
        return Taught(run.made(last), run.record(last), corpus, run.adapter(last))
    segments: list[Stored] = []
    checks: list[GateCheck] = []
    stop, steps = "", 0
    while not stop:
        segments.append(run.segment(segments[-1] if segments else None, steps + teaching.check_every))
        record = run.record(segments[-1])
        steps = record.steps
        checks.append(look(run.made(segments[-1]), steps))
        stop = _stopped(checks) or record.stopped
    best = min(range(len(checks)), key=lambda index: (_standing(checks[index]), -index))
    note = () if best == len(checks) - 1 else (f"the student is that of step {checks[best].step}, which stood best",)
    told = replace(record, checks=tuple(checks), stopped=stop, notes=(*record.notes, *note))
    return Taught(run.made(segments[best]), told, corpus, run.adapter(segments[best]))


@dataclass(frozen=True, slots=True)
class _Run:
    """`parameters` are the objective's, `inputs` digests of all that goes into it, `cache` the teacher's."""

    teacher: Source
    student: Source
    corpus: Path
    teaching: Teaching
    settings: TrainingSettings
    parameters: Parameters
    inputs: dict[str, str]
    cache: Stored | None
    form: Form
    heard: Heard

    def segment(self, before: Stored | None, until: int | None) -> Stored:
        workshop = self.student.workshop
        order = TrainingOrder(
            student=self.student.folder,
            corpus=self.corpus,
            objective=BUILD,
            objective_parameters=self.parameters.json(),
            settings=self.settings,
            objective_settings=self.teaching.objective,
            start=None if before is None else before.folder / STATE,
            until=until,
            threads=workshop.threads,
            form=self.form.name,
            form_parameters=self.form.parameters,
        )
        inputs = self.inputs if before is None else {**self.inputs, "before": before.digest}
        told = {"vocabulary": self.parameters.vocabulary, **self.form.told}
        return workshop.run(TrainStudent(order, inputs, told, workshop.model.facts, torch_pins(), self.heard))

    def made(self, stored: Stored) -> Source:
        suffix = TRAINED if self.teacher.digest == self.student.digest else SMALLER
        return source_of(self._whole(stored).folder / MODEL, self.student, suffix=suffix)

    def adapter(self, stored: Stored) -> Path | None:
        return stored.folder / MODEL if self.form.adapter else None

    def _whole(self, stored: Stored) -> Stored:
        """What holds the student as a whole model: an adapter is put into its base."""
        adapter = self.adapter(stored)
        if adapter is None:
            return stored
        workshop = self.student.workshop
        return workshop.run(
            MergeAdapter(
                facts=workshop.model.facts,
                model_sha256=self.student.digest,
                adapter=adapter,
                adapter_sha256=stored.digest,
                rounding=self.form.rounding,
                importance_sha256=self.form.inputs.get("importance"),
                threads=workshop.threads,
            )
        )

    def record(self, stored: Stored) -> TrainingRecord:
        nbytes = None if self.cache is None else TeacherCache.open(self.cache.folder).facts.bytes_per_token
        record = read_record(stored.folder / STATE)
        sources = tuple(self._named(source) for source in record.sources)
        return replace(record, cache_bytes_per_token=nbytes, sources=sources)

    def _named(self, source: TextSource) -> TextSource:
        """What a teacher wrote is told as such, under its own licence."""
        if source.name not in (FILE, ACCEPTED):
            return source
        brief = self.teacher.brief()
        return replace(source, name=f"text that {brief.name} wrote", license=brief.license)


def _run(teacher: Source, student: Source, teaching: Teaching, corpus: Stored, heard: Heard) -> _Run:
    """With the teacher's cache written, where it is to be learnt from."""
    settings = replace(teaching.settings, length=Corpus.open(corpus.folder).length)
    parameters = Parameters(teaching.objective, seed=settings.seed)
    form = form_for(student, teaching, corpus.folder)
    inputs = {"student": student.digest, "corpus": corpus.digest, **form.inputs}
    cache: Stored | None = None
    if teaching.objective.kind not in ("sequence", "text"):
        shared = shared_vocabulary(teacher.workshop.model.facts, student.workshop.model.facts)
        parameters = replace(parameters, vocabulary=shared)
        if teaching.objective.cached:
            cache = _written(teacher, student, corpus, settings)
            parameters, inputs["cache"] = replace(parameters, cache=cache.folder), cache.digest
        else:
            parameters, inputs["teacher"] = replace(parameters, teacher=teacher.folder), teacher.digest
    return _Run(teacher, student, corpus.folder, teaching, settings, parameters, inputs, cache, form, heard)


def _written(teacher: Source, student: Source, corpus: Stored, settings: TrainingSettings) -> Stored:
    """The teacher's cache of `corpus`."""
    workshop = student.workshop
    return workshop.run(
        WriteTeacherCache(
            teacher=teacher.folder,
            teacher_sha256=teacher.digest,
            corpus=corpus.folder,
            corpus_sha256=corpus.digest,
            settings=CacheSettings(seed=settings.seed),
            threads=workshop.threads,
            tools=torch_pins(),
        )
    )


def _stopped(checks: list[GateCheck]) -> str:
    """Why the run should end after the last of `checks`; "" where it should not. Without a distance nothing is seen to
    get better before a gate passes, and the run goes on."""
    last, before, since = checks[-1], checks[:-PATIENCE], checks[-PATIENCE:]
    if last.outcome == "PASS":
        return f"every gate passes at step {last.step}"
    if before and last.mean_kl is not None and min(map(_standing, since)) >= min(map(_standing, before)):
        return f"the suite saw nothing better in {PATIENCE} looks"
    return ""


def _standing(check: GateCheck) -> tuple[int, bool, float]:
    """Lower is better: gates that fail, whether some could not be judged, then the distance to the teacher."""
    return len(check.failed), check.outcome == "UNKNOWN", float("inf") if check.mean_kl is None else check.mean_kl


def page_writer(page: Path) -> Heard:
    """Draws the curve of a run into `page` while it goes on; a browser that shows it loads it again by itself."""
    from edgeshrink.report.training_page import training_html

    def heard(record: TrainingRecord) -> None:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.parent.mkdir(parents=True, exist_ok=True)
        aside = page.with_suffix(".part")
        aside.write_text(training_html(record, running=True), encoding="utf-8")
        aside.replace(page)

    return heard
