"""The verb `build`: plan -> export -> compare -> measure -> judge, rung by rung, then report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil

import edgeshrink
from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.lock import Lock
from edgeshrink.core.reading import Estimate, Unmeasured
from edgeshrink.core.report import REPORT_SCHEMA, Report, Rung
from edgeshrink.core.request import Request
from edgeshrink.core.suite import Suite
from edgeshrink.devices.cpu import default_threads
from edgeshrink.devices.local import host_facts
from edgeshrink.engine.adapters import ship_adapters, told_with
from edgeshrink.engine.adapters_opened import check_adapters, open_adapters
from edgeshrink.engine.adapters_there import ask_for_adapters
from edgeshrink.engine.climb import Built, climb, gated
from edgeshrink.engine.device_sessions import Confirm, check_device_format
from edgeshrink.engine.exporters.interface import Exporter
from edgeshrink.engine.exporters.registry import exporter
from edgeshrink.engine.lock import early_pins, lock_of, locked, pins, refuse_drift
from edgeshrink.engine.machine import BUSY_SHARE, calibrated
from edgeshrink.engine.networks.build import build_network
from edgeshrink.engine.opened import network_of, open_model
from edgeshrink.engine.output import check_output, folder_name
from edgeshrink.engine.place import matched, open_place
from edgeshrink.engine.shrink.allowed import check_shrinking, may_shrink
from edgeshrink.engine.shrink.attempts import Other
from edgeshrink.engine.shrink.smaller import Plain, smaller
from edgeshrink.engine.shrink.source import Source
from edgeshrink.engine.shrink.trained import may_train, trained_for_grid
from edgeshrink.engine.situation import check_request, find_situation
from edgeshrink.engine.suite.chosen import chosen_suite, keep_apart
from edgeshrink.engine.summary import artifact_summary, source_summary, step_record, traded_away, version_notes
from edgeshrink.engine.workshop import Workshop
from edgeshrink.engine.writing import write_build_folder
from edgeshrink.errors import NoSpace
from edgeshrink.planning.ladder import Move, first
from edgeshrink.planning.resolve import Situation, candidates, plan_for, preferred_scheme
from edgeshrink.store import Store


def build(
    request: Request | None = None,
    *,
    listener: Listener = silent,
    confirm: Confirm = lambda _question: True,
    may_install: Confirm = lambda _question: False,
) -> Report:
    """Build `request` and write its folder. `confirm` is asked before a build that the disk is too small for,
    `may_install` before a Python or packages are brought to a device.

    One format; `engine.comparison.build_all` builds every one that the target lists.
    """
    request = request or Request()
    request, lock = locked(request)
    network = network_of(request)
    if network is not None:
        return build_network(request, network, lock, may_install=may_install, listener=listener)
    check_request(request)
    check_shrinking(request)
    check_adapters(request)
    store = Store()
    model = open_model(request)
    out = request.out or Path("edgeshrink-out") / folder_name(request, model.name)
    check_output(out)
    situation = find_situation(request, model, None)
    check_device_format(request, situation.format_name)
    suite = chosen_suite(request)
    gated(situation.profile.budget, request)  # a gate that says nothing is refused before any work
    with open_place(request, situation.profile, listener) as opened:
        request, place = matched(request, situation.target, opened)
        situation = find_situation(request, model, None)
        workshop = Workshop(request, model, store, listener, request.threads or default_threads(), place, may_install)
        return _build(workshop, situation, out, lock, confirm, suite)


def _build(
    workshop: Workshop, situation: Situation, out: Path, lock: Lock | None, confirm: Confirm, suite: Suite | None
) -> Report:
    store = workshop.store
    workshop.check_before_work()
    maker = exporter(situation.format_name, workshop)
    maker.check_before_work()
    adapters = open_adapters(workshop, situation.format_name)
    ask_for_adapters(out, workshop, adapters, confirm)
    if suite is not None:
        keep_apart(suite, workshop.calibration_text)
    if lock is not None:
        source = source_summary(workshop.model, workshop.source_sha256)
        refuse_drift(lock, early_pins(source, situation.format_name, situation.target, situation.profile))
    candidates(situation)  # a pattern that matches no tensor is refused before any work
    with store.in_use():
        calibration = calibrated(store, workshop.listener)
        if calibration.others_cpu_share > BUSY_SHARE:
            workshop.notes.append(
                f"speeds are predicted from a calibration during which other programs used "
                f"{calibration.others_cpu_share:.0%} of the CPUs: `edgeshrink doctor --recalibrate` on an idle machine"
            )
        situation = workshop.situation(calibration)
        ladder = candidates(situation)
        start = first(ladder, preferred_scheme(situation, ladder))
        _ask_for_disk(situation, start, store, confirm)
        built, rungs, tried = climb(workshop, maker, situation, start, suite)
        shipped = ship_adapters(workshop, situation, built, suite, adapters)
        report = told_with(_tell(workshop, maker, situation, built, rungs), shipped)
        plain = tuple(zip(tried, rungs, strict=True))
        found = None if adapters else _other_model(workshop, situation, suite, built, plain, lock)
        if found is not None:
            report = _tell_other(workshop, report, found)
            built = found.built or built
        student = None if found is None or found.student is None else found.student.folder
        now = lock_of(
            workshop.request, report, situation.target, situation.profile, adapter_weights=workshop.adapter_weights
        )
        if lock is not None:
            refuse_drift(lock, pins(now))
        given = workshop.model.facts.source.path
        return write_build_folder(
            report, built.artifact, now, given, out, store.notes, student=student, adapters=shipped
        )


def _other_model(
    workshop: Workshop, situation: Situation, suite: Suite | None, built: Built, plain: Plain, lock: Lock | None
) -> Other | None:
    """Where quantization alone failed: the model trained for its grid, or else a smaller one; None where neither may
    be tried."""
    found: Other | None = None
    if lock is None and may_train(workshop, situation, built):
        found = trained_for_grid(Source(workshop), situation, suite)
    if lock is None and (found is None or found.built is None) and may_shrink(workshop, built):
        further = smaller(Source(workshop), situation, suite, plain)
        found = further if found is None else further.after(found)
    return found


def _tell(workshop: Workshop, maker: Exporter, situation: Situation, built: Built, rungs: tuple[Rung, ...]) -> Report:
    """The report. Its time is that of the newest result, so that an identical build writes identical bytes."""
    plan = built.plan
    steps = tuple(step_record(stored) for stored in workshop.used)
    quality, measured = built.quality, built.measurements
    return Report(
        schema=REPORT_SCHEMA,
        version=edgeshrink.__version__,
        created_at=max(step.made_at for step in steps),
        target=situation.target.id,
        profile=situation.profile.id,
        profile_name=situation.profile.name,
        on_device=workshop.place.is_device,
        context=plan.context,
        source=source_summary(workshop.model, workshop.source_sha256),
        artifact=artifact_summary(workshop.model, built.artifact, plan, built.delegation),
        compression=maker.compression(plan),
        candidates=candidates(situation),
        ladder=rungs,
        predictions=plan.predictions,
        quality=None if isinstance(quality, Unmeasured) else quality,
        measurements=None if isinstance(measured, Unmeasured) else measured,
        verdict=built.verdict,
        host=host_facts(),
        steps=steps,
        notes=(
            *plan.notes,
            *workshop.notes,
            *workshop.place.notes,
            *_said(built),
            *version_notes(situation.target, plan.format),
        ),
        traded_away=tuple(traded_away(workshop.model, plan, quality)),
        export_times=built.artifact.times,
        behaviour=built.behaviour if isinstance(built.behaviour, Behaviour) else None,
        fallback=built.behaviour.trusted_fallback if isinstance(built.behaviour, Behaviour) else None,
    )


def _tell_other(workshop: Workshop, report: Report, found: Other) -> Report:
    """The report of a build that had to make another model, or could not; its source is the model that was given."""
    shrinkage = found.shrinkage
    if found.built is None or found.student is None or found.situation is None:
        nearest = f"; nearest: {shrinkage.nearest}" if shrinkage.nearest else ""
        refusal = f"nothing else was made: {shrinkage.refusal}{nearest}"
        return replace(report, shrinkage=shrinkage, notes=(*report.notes, refusal))
    student = found.student.workshop
    maker = exporter(found.situation.format_name, student)
    told = _tell(student, maker, found.situation, found.built, report.ladder)
    return replace(told, source=report.source, shrinkage=shrinkage)


def _said(built: Built) -> Iterator[str]:
    if built.artifact.times:
        yield from built.artifact.times.notes
    if isinstance(built.quality, Unmeasured):
        yield built.quality.reason
    if built.behaviour is None:
        yield "no behaviour suite was run: --suite none"
    elif isinstance(built.behaviour, Unmeasured) and built.behaviour is not built.quality:
        yield f"no behaviour suite was run: {built.behaviour.reason}"


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
