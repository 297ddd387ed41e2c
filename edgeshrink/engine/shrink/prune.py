"""The verb `prune`: a smaller model of the same family, healed where there is text to learn from, and examined."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

from edgeshrink.catalog.expert_usage import usage_text
from edgeshrink.compress.calibration import calibration_text
from edgeshrink.compress.prune.interface import method
from edgeshrink.compress.prune.sparsifying import SparseMethod, zeros_for
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.expert_usage import USAGE_FILE
from edgeshrink.core.shrinking import ModelBrief, PruningTold, ShrinkStep
from edgeshrink.core.shrinking_request import PruneRequest
from edgeshrink.core.suite import Suite
from edgeshrink.core.training import TrainingRecord
from edgeshrink.core.verdict import Verdict
from edgeshrink.engine.machine import calibrated
from edgeshrink.engine.place import open_place
from edgeshrink.engine.shrink.cut import Pruned, axes_of, cut_to, zeroed
from edgeshrink.engine.shrink.cycles import Healing, healed_in_cycles
from edgeshrink.engine.shrink.examined import Look, check_looks, examined, look_of
from edgeshrink.engine.shrink.expert_cuts import scored
from edgeshrink.engine.shrink.experts import Held, check_experts, fewer_experts
from edgeshrink.engine.shrink.folder import check_student_folder, live_page, write_student_folder
from edgeshrink.engine.shrink.judged import floor_of, verdict_of
from edgeshrink.engine.shrink.learning_text import check_data
from edgeshrink.engine.shrink.source import Source, open_source, require_torch
from edgeshrink.engine.shrink.teaching import page_writer
from edgeshrink.engine.shrink.told import step_told
from edgeshrink.engine.situation import find_device
from edgeshrink.engine.suite.chosen import chosen_suite, keep_apart
from edgeshrink.errors import UsageError
from edgeshrink.planning.resolve import Situation, candidates, preferred_scheme
from edgeshrink.planning.shrink.goals import Goal, refuse_zeros
from edgeshrink.planning.shrink.granularity import block, granularity
from edgeshrink.planning.shrink.shapes import candidate_shapes
from edgeshrink.store import Store


def prune(request: PruneRequest, *, listener: Listener = silent) -> tuple[ShrinkStep, Verdict | None]:
    """Cut, heal, examine, and write the folder of `request.request.out`. The verdict is that of the gates on the
    command line, or of the profile's; None where no suite was run."""
    require_torch()
    given = request.request
    out = given.out or Path("edgeshrink-pruned")
    check_student_folder(out, given.model)
    check_data(() if request.teaching is None else request.teaching.data)
    if request.experts is not None:
        _refuse_beside_experts(request)
    else:
        goal = goal_of(request)
        for asked in map(method, request.methods):
            if not asked.structured:
                refuse_zeros(goal, asked.name)
    suite, floor = chosen_suite(given), floor_of(given)
    check_looks(request.teaching, suite)
    text = calibration_text(given.calibration)
    if suite is not None:
        keep_apart(suite, text)
    _, profile, _ = find_device(given, None)
    store = Store()
    with store.in_use(), open_place(given, profile, listener) as place:
        original = open_source(given, store, place, listener)
        if request.experts is not None:
            return _with_fewer_experts(original, request, suite, floor, out)
        pruned, record = _made(original, request, suite, look_of(original, suite, floor), out)
        behaviour = None if suite is None else examined(original, pruned.source, suite, floor)
        step = step_told(
            "prune",
            title(original.brief(), pruned.source.brief(), pruned.told),
            original.brief(),
            replace(pruned.source.brief(zeros=pruned.zeros), name=out.name),
            original.brief(),
            seconds=original.seconds,
            pruning=pruned.told,
            training=record,
            behaviour=behaviour,
            command=request.command,
        )
        verdict = None if behaviour is None else verdict_of(floor, behaviour)
        write_student_folder(step, verdict, pruned.source.folder, original.folder, out)
    return step, verdict


def _with_fewer_experts(
    original: Source, request: PruneRequest, suite: Suite | None, floor: QualityFloor, out: Path
) -> tuple[ShrinkStep, Verdict | None]:
    """The verdict is that of a stage that was refused, if one was."""
    assert request.experts is not None
    check_experts(original, request.experts)
    situation = None if request.scheme is None else situation_for(original)
    look = look_of(original, suite, floor)
    done = fewer_experts(Held(original, request, suite, floor, page_writer(live_page(out)), situation, look))
    pruned = done.pruned
    step = step_told(
        "prune",
        title(original.brief(), pruned.source.brief(), pruned.told),
        original.brief(),
        replace(pruned.source.brief(), name=out.name),
        original.brief(),
        seconds=original.seconds,
        pruning=pruned.told,
        training=done.record,
        behaviour=done.behaviour,
        command=request.command,
        notes=done.notes,
        stages=done.stages,
    )
    beside = {USAGE_FILE: usage_text(scored(pruned.source).usage)}
    write_student_folder(step, done.verdict, pruned.source.folder, original.folder, out, beside=beside)
    return step, done.refusal or done.verdict


def _refuse_beside_experts(request: PruneRequest) -> None:
    """UsageError for goals of a dense model beside --experts and --expert-ffn."""
    goals = (request.share, request.artifact_bytes, request.peak_rss_bytes, request.decode_tok_s)
    if any(value is not None for value in goals) or request.methods or request.cycles > 1:
        raise UsageError(
            "--experts and --expert-ffn are goals of their own",
            hint="leave out --params, --to-bytes, --to-ram, --to-speed, --method and --cycles, or cut in two commands",
        )


def goal_of(request: PruneRequest) -> Goal:
    """UsageError unless exactly one goal is given."""
    given = (request.share, request.artifact_bytes, request.peak_rss_bytes, request.decode_tok_s)
    if sum(value is not None for value in given) != 1:
        raise UsageError(
            "how small?", hint="give one of --params SHARE, --to-bytes SIZE, --to-ram SIZE, --to-speed TOK_S"
        )
    return Goal(*given, scheme=request.scheme)


def title(before: ModelBrief, after: ModelBrief, pruning: PruningTold) -> str:
    share = after.parameters / before.parameters
    how = "+".join(pruning.methods)
    return f"{before.name} cut to {share:.0%} of its parameters ({how})" if share < 1 else f"{before.name}, {how}"


def _made(
    original: Source, request: PruneRequest, suite: Suite | None, look: Look | None, out: Path
) -> tuple[Pruned, TrainingRecord | None]:
    zeros = [name for name in get_args(SparseMethod) if name in request.methods]
    if zeros:
        if len(request.methods) > 1 or request.teaching is not None:
            raise UsageError(
                f"{zeros[0]} goes with no other method and is not healed here", hint="name it alone, without --data"
            )
        assert request.share is not None  # refuse_zeros saw to it
        share = zeros_for(original.workshop.model.facts, request.share, zeros[0])
        return zeroed(original, zeros[0], share, original.workshop.calibration_text), None
    situation = situation_for(original)
    goal, axes = goal_of(request), axes_of(request.methods)
    facts = original.workshop.model.facts
    schemes = (request.scheme,) if request.scheme else (preferred_scheme(situation, candidates(situation)),)
    goal = replace(goal, scheme=schemes[0])
    shapes = candidate_shapes(facts, goal, granularity(facts, block(situation, schemes)), axes, situation=situation)
    text = original.workshop.calibration_text
    straight = cut_to(original, shapes, request.methods, text)
    if request.teaching is None:
        return straight, None
    healing = Healing(original, request, request.teaching, suite, look, page_writer(live_page(out)))
    return healed_in_cycles(healing, straight)


def situation_for(source: Source) -> Situation:
    """What plans for `source` depend on, with this machine calibrated where it is the device."""
    workshop = source.workshop
    return workshop.situation(calibrated(workshop.store, workshop.listener))
