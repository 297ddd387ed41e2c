"""The verb `build`: plan -> export -> compare -> measure -> judge, rung by rung, then report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

import edgeshrink
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.plan import Plan
from edgeshrink.core.quality import Quality
from edgeshrink.core.reading import Estimate, Unmeasured
from edgeshrink.core.report import REPORT_SCHEMA, Report, Rung
from edgeshrink.core.request import Request
from edgeshrink.core.target import Target
from edgeshrink.core.verdict import Verdict, VerdictLine
from edgeshrink.devices.cpu import default_threads
from edgeshrink.devices.local import host_facts
from edgeshrink.engine.machine import BUSY_SHARE, calibrated
from edgeshrink.engine.opened import open_model
from edgeshrink.engine.output import check_output
from edgeshrink.engine.situation import check_request, find_situation
from edgeshrink.engine.summary import artifact_summary, source_summary, step_record, traded_away
from edgeshrink.engine.workshop import File, Workshop
from edgeshrink.engine.writing import versions, write_build_folder
from edgeshrink.errors import NoSpace
from edgeshrink.judging.judge import device_lines, distance_lines, judge, overall
from edgeshrink.planning.ladder import Move, Tried, first, following
from edgeshrink.planning.resolve import Situation, candidates, plan_for
from edgeshrink.store import Store


@dataclass(frozen=True, slots=True)
class _Built:
    """One rung: the file, what it is worth, and what it measures (or why that was not asked)."""

    plan: Plan
    file: File
    quality: Quality
    measurements: Measurements | Unmeasured
    verdict: Verdict


def build(
    request: Request | None = None,
    *,
    listener: Listener = silent,
    confirm: Callable[[str], bool] = lambda _question: True,
) -> Report:
    """Build `request` and write its folder. `confirm` answers questions: a build that the disk is too small for."""
    request = request or Request()
    check_request(request)
    store = Store()
    model = open_model(request)
    out = request.out or Path("edgeshrink-out") / _folder_name(request, model.name)
    check_output(out)
    workshop = Workshop(request, model, store, listener, request.threads or default_threads())
    workshop.check_before_work()
    workshop.settle_importance()
    candidates(
        find_situation(workshop.request, model, None)
    )  # a pattern that matches no tensor is refused before any work
    with store.in_use():
        calibration = calibrated(store, listener)
        if calibration.others_cpu_share > BUSY_SHARE:
            workshop.notes.append(
                f"speeds are predicted from a calibration during which other programs used "
                f"{calibration.others_cpu_share:.0%} of the CPUs: `edgeshrink doctor --recalibrate` on an idle machine"
            )
        situation = workshop.situation(calibration)
        start = _start(situation)
        _ask_for_disk(situation, start, store, confirm)
        built, rungs = _climb(workshop, situation, start)
        report = _tell(workshop, situation, built, rungs)
        return write_build_folder(report, built.file.path, out, store.notes)


def _start(situation: Situation) -> Move:
    ladder = candidates(situation)
    preferred = ladder[0].scheme if situation.request.scheme else situation.format.preferred_scheme
    return first(ladder, preferred)


def _climb(workshop: Workshop, situation: Situation, start: Move) -> tuple[_Built, tuple[Rung, ...]]:
    """Walk the ladder until nothing more is to be won; the last rung is the result."""
    ladder = candidates(situation)
    budget = situation.profile.budget
    tried: list[Tried] = []
    rungs: list[Rung] = []
    move = start
    while move.scheme is not None:
        plan = plan_for(situation, move.scheme)
        file = workshop.artifact(plan)
        quality = workshop.quality(plan, file)
        good = _holds(distance_lines(budget, quality))
        # A session costs more than a comparison: a rung that is left for its quality is not measured.
        ahead = following(ladder, [*tried, Tried(plan.scheme, good, None)])
        measured = workshop.measurements(situation, file) if ahead.scheme is None else Unmeasured(ahead.why)
        nbytes = file.path.stat().st_size
        lines = device_lines(budget, nbytes, measured, plan.predictions)
        tried.append(Tried(plan.scheme, good, _holds(lines)))
        move = following(ladder, tried)
        if quality.failed_checks:
            move = Move(None, plan.scheme, "a check failed, which no other scheme would mend")
        verdict = judge(
            budget, artifact_bytes=nbytes, measurements=measured, quality=quality, predictions=plan.predictions
        )
        built = _Built(plan, file, quality, measured, verdict)
        rungs.append(_rung(built, move))
    return built, tuple(rungs)


def _holds(lines: Iterable[VerdictLine]) -> bool | None:
    return {"PASS": True, "FAIL": False, "UNKNOWN": None}[overall(tuple(line.outcome for line in lines))]


def _rung(built: _Built, move: Move) -> Rung:
    return Rung(
        scheme=built.plan.scheme,
        artifact_bytes=built.file.path.stat().st_size,
        mean_kl=built.quality.mean_kl,
        same_top_share=built.quality.same_top_share,
        perplexity_ratio=built.quality.perplexity_ratio,
        outcome=built.verdict.outcome,
        move=f"{'stop' if move.scheme is None else f'on to {move.scheme}'}: {move.why}",
    )


def _tell(workshop: Workshop, situation: Situation, built: _Built, rungs: tuple[Rung, ...]) -> Report:
    """The report. Its time is that of the newest result, so that an identical build writes identical bytes."""
    plan = built.plan
    steps = tuple(step_record(stored) for stored in workshop.used)
    file_name = f"{workshop.model.name}-{plan.scheme}.gguf"
    measured = built.measurements
    return Report(
        schema=REPORT_SCHEMA,
        version=edgeshrink.__version__,
        created_at=max(step.made_at for step in steps),
        target=situation.target.id,
        profile=situation.profile.id,
        profile_name=situation.profile.name,
        runs_on_this_host=situation.on_this_host,
        context=plan.context,
        source=source_summary(workshop.model, workshop.source_sha256),
        artifact=artifact_summary(file_name, built.file.sha256, built.file.path.stat().st_size, plan),
        compression=workshop.compression(plan),
        candidates=candidates(situation),
        ladder=rungs,
        predictions=plan.predictions,
        quality=built.quality,
        measurements=None if isinstance(measured, Unmeasured) else measured,
        verdict=built.verdict,
        host=host_facts(),
        steps=steps,
        notes=(*plan.notes, *workshop.notes, *_other_versions(situation.target)),
        traded_away=tuple(traded_away(workshop.model, plan, built.quality)),
    )


def _other_versions(target: Target) -> Iterator[str]:
    """Where the tools that built this are not those that the target pins."""
    installed = versions()
    for name, pinned in target.pins.items():
        if installed.get(name, pinned) != pinned:
            yield f"built with {name} {installed[name]}; the target {target.id} was tested with {pinned}"


def _folder_name(request: Request, model: str) -> str:
    return "-".join(part for part in (model, request.target, request.scheme) if part)


def _ask_for_disk(situation: Situation, start: Move, store: Store, confirm: Callable[[str], bool]) -> None:
    """A disk that is too small is met after minutes of work: ask before."""
    predicted = plan_for(situation, start.keep).predictions.host_disk_bytes
    free = psutil.disk_usage(str(store.root)).free
    if not isinstance(predicted, Estimate) or predicted.value <= free:
        return
    needed, there = (f"{value / 2**30:.1f} GiB" for value in (predicted.value, free))
    if not confirm(f"this build needs about {needed} of disk and {store.root} has {there}; go on?"):
        raise NoSpace(
            f"the build was not begun: {store.root} is too small",
            hint="`edgeshrink cache gc`, or move the store with EDGESHRINK_CACHE",
        )
