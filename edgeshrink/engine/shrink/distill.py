"""The verb `distill`: a student learns from a teacher, and the suite says what it learnt and what it lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import edgeshrink
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.shrinking import SHRINK_SCHEMA, ShrinkStep
from edgeshrink.core.shrinking_request import DistillRequest
from edgeshrink.core.verdict import Verdict
from edgeshrink.engine.place import open_place
from edgeshrink.engine.shrink.examined import check_looks, examined, look_of
from edgeshrink.engine.shrink.failures import failures_of
from edgeshrink.engine.shrink.folder import check_student_folder, live_page, write_student_folder
from edgeshrink.engine.shrink.judged import floor_of, verdict_of
from edgeshrink.engine.shrink.learning_text import check_data
from edgeshrink.engine.shrink.sequences import accepted_answers, prompt_files, sampling_notes
from edgeshrink.engine.shrink.source import open_source, require_torch
from edgeshrink.engine.shrink.teaching import page_writer, taught
from edgeshrink.engine.situation import find_device
from edgeshrink.engine.suite.chosen import chosen_suite
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
        student = open_source(replace(given, model=request.student, revision=None), store, place, listener)
        if teaching.objective.kind == "sequence":
            accepted = accepted_answers(teacher, student, teaching)
            prompts = prompt_files(teaching)
            teaching = replace(teaching, data=(*(file for file in teaching.data if file not in prompts), accepted))
            notes += sampling_notes(accepted)
        page, look = page_writer(live_page(out)), look_of(teacher, suite, floor)
        done = taught(teacher, student, teaching, suite, heard=page, look=look)
        behaviour = None if suite is None else examined(teacher, done.student, suite, floor)
        found = None if isinstance(behaviour, Unmeasured) else behaviour
        step = ShrinkStep(
            schema=SHRINK_SCHEMA,
            version=edgeshrink.__version__,
            kind="distill",
            title=f"{student.brief().name} taught by {teacher.brief().name}",
            before=student.brief(),
            after=replace(done.student.brief(), name=out.name),
            teacher=teacher.brief(),
            pruning=None,
            training=done.record,
            behaviour=found,
            failures=() if found is None else failures_of(found),
            seconds=teacher.seconds + student.seconds,
            command=request.command,
            notes=(*notes, behaviour.reason) if isinstance(behaviour, Unmeasured) else notes,
        )
        verdict = None if behaviour is None else verdict_of(floor, behaviour)
        write_student_folder(step, verdict, done.student.folder, teacher.folder, out)
    return step, verdict
