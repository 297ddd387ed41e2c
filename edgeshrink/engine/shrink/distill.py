"""The verb `distill`: a student learns from a teacher, and the suite says what it learnt and what it lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgeshrink.catalog.adapters import read_adapter
from edgeshrink.core.adapter import ADAPTER_WEIGHTS
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.shrinking import ShrinkStep
from edgeshrink.core.shrinking_request import DistillRequest, Teaching
from edgeshrink.core.training import TrainingRecord
from edgeshrink.core.verdict import Verdict
from edgeshrink.engine.place import Place, open_place
from edgeshrink.engine.shrink.aims import learnt
from edgeshrink.engine.shrink.examined import check_looks, examined, look_of
from edgeshrink.engine.shrink.folder import check_student_folder, live_page, write_student_folder
from edgeshrink.engine.shrink.judged import floor_of, verdict_of
from edgeshrink.engine.shrink.learning_text import check_data
from edgeshrink.engine.shrink.preference import capability, pairs_notes
from edgeshrink.engine.shrink.sequences import accepted_answers, prompt_files, sampling_notes
from edgeshrink.engine.shrink.source import Source, open_source, require_torch
from edgeshrink.engine.shrink.teaching import page_writer, taught
from edgeshrink.engine.shrink.told import step_told
from edgeshrink.engine.situation import find_device
from edgeshrink.engine.suite.chosen import chosen_suite
from edgeshrink.judging.outcomes import overall
from edgeshrink.store import Store


def distill(request: DistillRequest, *, listener: Listener = silent) -> tuple[ShrinkStep, Verdict | None]:
    """Train, examine, and write the folder of `request.request.out`. The verdict is that of the gates on the command
    line, or of the profile's; None where no suite was run."""
    require_torch()
    given, teaching = request.request, request.teaching
    out = given.out or Path("edgeshrink-student")
    check_student_folder(out, given.model, request.student)
    check_data(teaching.data)
    suite, floor = chosen_suite(given), floor_of(given)
    check_looks(teaching, suite)
    _, profile, _ = find_device(given, None)
    store = Store()
    notes: tuple[str, ...] = ()
    with store.in_use(), open_place(given, profile, listener) as place:
        teacher = open_source(given, store, place, listener)
        student = _student(request, teacher, store, place, listener)
        if teaching.objective.kind == "sequence":
            accepted = accepted_answers(teacher, student, teaching)
            prompts = prompt_files(teaching)
            teaching = replace(teaching, data=(*(file for file in teaching.data if file not in prompts), accepted))
            notes += sampling_notes(accepted)
        page, look = page_writer(live_page(out)), look_of(teacher, suite, floor)
        done = taught(teacher, student, teaching, suite, heard=page, look=look)
        if done.adapter is not None:
            notes += (_adapter_note(done.adapter, out, student),)
        behaviour = None if suite is None else examined(teacher, done.student, suite, floor)
        notes += _risen(done.record)
        verdict = None if behaviour is None else verdict_of(floor, behaviour)
        if teaching.objective.kind == "preference":
            notes += pairs_notes(done.corpus)
        if teaching.objective.kind == "preference" and behaviour is not None and suite is not None and verdict:
            kept = capability(teacher, student, behaviour, suite, floor)
            notes += (f"{kept.name}: {kept.why}",)
            verdict = Verdict(overall((verdict.outcome, kept.outcome)), (*verdict.lines, kept))
        # What was examined, and whose size is told: an adapter runs in its base.
        name = out.name if done.adapter is None else f"{student.brief().name} with {out.name}"
        step = step_told(
            "distill",
            _title(teacher, student, teaching),
            student.brief(),
            replace(done.student.brief(), name=name),
            teacher.brief(),
            seconds=teacher.seconds if student is teacher else teacher.seconds + student.seconds,
            training=done.record,
            behaviour=behaviour,
            learnt=learnt(student, done.student, teacher, teaching, done.corpus),
            command=request.command,
            notes=notes,
        )
        write_student_folder(step, verdict, done.adapter or done.student.folder, teacher.folder, out)
    return step, verdict


def _title(teacher: Source, student: Source, teaching: Teaching) -> str:
    by = "itself" if student is teacher else teacher.brief().name
    how = "trained on text" if teaching.objective.kind == "text" else f"taught by {by}"
    return f"{student.brief().name} {how}{_form(teaching)}"


def _form(teaching: Teaching) -> str:
    """What of the student was trained, for a title."""
    if teaching.scheme is not None:
        return f", for the values of {teaching.scheme}"
    lora = teaching.lora
    if lora is None:
        return ""
    base = "" if lora.scheme is None else f" on a base of {lora.scheme}"
    return f", {'updates' if lora.merged else 'an adapter'} of rank {lora.rank}{base}"


def _risen(record: TrainingRecord) -> tuple[str, ...]:
    """A warning where the run ended further from what it minimizes than it began."""
    seen = [point.objective for point in record.held_out]
    if len(seen) < 2 or seen[-1] <= seen[0]:
        return ()
    return (f"the held-out loss rose from {seen[0]:.3g} to {seen[-1]:.3g}: train longer, or with a lower --rate",)


def _adapter_note(adapter: Path, out: Path, base: Source) -> str:
    nbytes = (adapter / ADAPTER_WEIGHTS).stat().st_size
    size = f"{read_adapter(adapter).parameters:,} parameters ({nbytes:,} bytes)"
    only = f"it runs on {base.brief().name} alone: edgeshrink build {base.folder} --adapter {out}"
    return f"{out.name} is an adapter of {size}; {only}"


def _student(request: DistillRequest, teacher: Source, store: Store, place: Place, listener: Listener) -> Source:
    """The teacher itself, where a model is its own."""
    if request.student == request.request.model:
        return teacher
    return open_source(replace(request.request, model=request.student, revision=None), store, place, listener)
