"""The verb `distill`: a student learns from a teacher, and the suite says what it learnt and what it lost."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import edgeshrink
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.shrinking import SHRINK_SCHEMA, ShrinkStep
from edgeshrink.core.shrinking_request import DistillRequest
from edgeshrink.core.training import GateCheck
from edgeshrink.core.verdict import Verdict
from edgeshrink.engine.place import open_place
from edgeshrink.engine.shrink.examined import examined
from edgeshrink.engine.shrink.failures import failures_of
from edgeshrink.engine.shrink.folder import check_student_folder, live_page, write_student_folder
from edgeshrink.engine.shrink.judged import floor_of, gate_check, verdict_of
from edgeshrink.engine.shrink.learning_text import learning_text
from edgeshrink.engine.shrink.sequences import accepted_answers, prompt_files, sampling_notes
from edgeshrink.engine.shrink.source import Source, open_source, require_torch
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
    check_student_folder(out)
    suite, floor = chosen_suite(given), floor_of(given)
    _, profile, _ = find_device(given, None)
    store, began = Store(), time.monotonic()
    notes: tuple[str, ...] = ()
    with store.in_use(), open_place(given, profile, listener) as place:
        teacher = open_source(given, store, place, listener)
        student = open_source(replace(given, model=request.student, revision=None), store, place, listener)
        if teaching.objective.kind == "sequence":
            accepted = accepted_answers(teacher, student, teaching)
            prompts = prompt_files(teaching)
            teaching = replace(teaching, data=(*(file for file in teaching.data if file not in prompts), accepted))
            notes += sampling_notes(accepted)

        def look(now: Source, step: int) -> GateCheck:
            assert suite is not None
            return gate_check(floor, examined(teacher, now, suite, floor), step)

        corpus = learning_text(teacher, student, teaching, suite)
        page = page_writer(live_page(out))
        done = taught(teacher, student, corpus, teaching, heard=page, look=None if suite is None else look)
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
            seconds=time.monotonic() - began,
            command=request.command,
            notes=(*notes, behaviour.reason) if isinstance(behaviour, Unmeasured) else notes,
        )
        verdict = None if behaviour is None else verdict_of(floor, behaviour)
        write_student_folder(step, verdict, done.student.folder, teacher.folder, out)
    return step, verdict
