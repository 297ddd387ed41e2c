"""The verb `evaluate`: a finished artifact against its unquantized reference, slice by slice, judged by gates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import edgeshrink
from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.budget import Budget
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.quality import Quality
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.report import REPORT_SCHEMA, Compression, Report, SourceSummary
from edgeshrink.core.request import Request
from edgeshrink.core.suite import Suite
from edgeshrink.core.verdict import Verdict
from edgeshrink.devices.cpu import default_threads
from edgeshrink.devices.local import host_facts
from edgeshrink.engine.adapter_pairs import Pair, examined_pair, quality_of
from edgeshrink.engine.artifacts import Found, find_artifact, trained_context
from edgeshrink.engine.climb import gated
from edgeshrink.engine.evaluated_pair import evaluated_pair
from edgeshrink.engine.measured_report import artifact_in_brief
from edgeshrink.engine.opened import given_name, open_model
from edgeshrink.engine.output import check_output
from edgeshrink.engine.place import open_place
from edgeshrink.engine.situation import find_device
from edgeshrink.engine.suite.attributed import attributed
from edgeshrink.engine.suite.chosen import chosen_suite, keep_apart
from edgeshrink.engine.suite.examination import Examination
from edgeshrink.engine.suite.of_build import examination_of, gains_of_build
from edgeshrink.engine.suite.run import run_suite
from edgeshrink.engine.summary import source_summary, step_record
from edgeshrink.engine.workshop import Workshop
from edgeshrink.engine.writing import write_report_folder
from edgeshrink.errors import DataError, StepFailed, UsageError
from edgeshrink.evaluate.subject import Subject
from edgeshrink.judging.behaviour import gate_lines, slice_lines
from edgeshrink.judging.gains import Gains
from edgeshrink.judging.judge import check_line, distance_lines, overall
from edgeshrink.planning.requested import default_delegate
from edgeshrink.report.json import report_from_json
from edgeshrink.store import Store
from edgeshrink.store.digests import remembered_tree_sha256

REPORT = "report.json"


def evaluate(
    artifact: Path,
    request: Request,
    *,
    attribute: bool = False,
    adapter: str | None = None,
    listener: Listener = silent,
) -> Report:
    """Examine `artifact` against the model that `request` names, run its suite, and judge both by the profile's floor.

    `attribute`: also ask which tensors each loss comes from. `adapter` (a name in the artifact's folder, a file, or an
    adapter's folder): the pair of both, against the reference with the same adapter. The report is written to the
    folder of `request`, where it names one. UsageError where the artifact generates no text, or its reference is not
    known; RuntimeFailed where its runtime refuses it.
    """
    suite = chosen_suite(request)
    if suite is None:
        raise UsageError("--suite none leaves nothing to evaluate", hint="name quick, standard or full")
    found = find_artifact(artifact)
    if found.network:
        raise UsageError(f"{found.path} is a network: it generates no text", hint="`edgeshrink build` scores networks")
    if adapter is not None and attribute:
        raise UsageError("--attribute asks for tensors of the base alone", hint="leave --adapter out, or --attribute")
    if request.out is not None:
        check_output(request.out)
    recorded = _recorded(artifact)
    source = None if recorded is None else recorded.source
    request = _with_reference(request, artifact, source)
    _, profile, _ = find_device(request, None)
    budget = gated(profile.budget, request)
    store = Store()
    with store.in_use(), open_place(request, profile, listener) as place:
        threads = request.threads or default_threads()
        workshop = Workshop(request, open_model(request), store, listener, threads, place, lambda _question: False)
        workshop.check_before_work()
        _refuse_other(workshop, source, artifact)
        _keep_apart(suite, workshop, None if recorded is None else recorded.compression)
        pair = None if adapter is None else evaluated_pair(workshop, adapter, artifact, found)
        report = _examined(workshop, suite, budget, found, pair, attribute=attribute)
    return report if request.out is None else write_report_folder(report, request.out)


def _examined(
    workshop: Workshop, suite: Suite, budget: Budget, found: Found, pair: Pair | None, *, attribute: bool
) -> Report:
    request = workshop.request
    target, profile, on_this_host = find_device(request, None)
    told = artifact_in_brief(found, remembered_tree_sha256(found.path, workshop.store.notes, workshop.listener))
    subject = Subject(found.path, found.runtime, request.delegate or default_delegate(found.format))
    quality: Quality | Unmeasured
    if pair is None:
        quality = workshop.quality(subject, told.sha256, told.tensors, own_checks=None)
    else:
        quality = quality_of(workshop, pair)
    context = min(request.context or trained_context(found), trained_context(found))
    gains = gains_of_build(workshop, told.nbytes)
    examination = examination_of(workshop, suite, budget.quality, subject, told.sha256, context, gains)
    if pair is not None:
        examination = examined_pair(examination, pair)
    for one in (examination, quality):
        if isinstance(one, Unmeasured):
            raise StepFailed(f"nothing can be compared here: {one.reason}", hint="use a machine with more memory")
    assert isinstance(examination, Examination) and isinstance(quality, Quality)
    behaviour = run_suite(examination)
    if attribute:
        failed = (line.slice for line in slice_lines(budget.quality, behaviour) if line.outcome == "FAIL")
        behaviour = attributed(examination, behaviour, tuple(filter(None, failed)))
    steps = tuple(step_record(stored) for stored in workshop.used)
    return Report(
        schema=REPORT_SCHEMA,
        version=edgeshrink.__version__,
        created_at=max(step.made_at for step in steps),
        target=target.id,
        profile=profile.id,
        profile_name=profile.name,
        on_device=on_this_host,
        context=context,
        source=source_summary(workshop.model, workshop.source_sha256),
        artifact=told,
        compression=None,
        candidates=(),
        ladder=(),
        predictions=None,
        quality=quality,
        measurements=None,
        verdict=_judged(budget, quality, behaviour, gains),
        host=host_facts(),
        steps=steps,
        notes=tuple(workshop.notes),
        traded_away=(),
        fallback=behaviour.trusted_fallback,
        behaviour=behaviour,
    )


def _judged(budget: Budget, quality: Quality, behaviour: Behaviour, gains: Gains) -> Verdict:
    lines = (check_line(quality), *distance_lines(budget, quality), *gate_lines(budget.quality, behaviour, gains))
    return Verdict(overall(tuple(line.outcome for line in lines)), lines)


def _recorded(artifact: Path) -> Report | None:
    """The report beside the artifact: which model it was made from, and with which text."""
    folder = artifact if artifact.is_dir() else artifact.parent
    try:
        return report_from_json((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError, DataError):
        return None


def _keep_apart(suite: Suite, workshop: Workshop, made: Compression | None) -> None:
    """DataError where the suite stands in the text that the artifact was calibrated with: the one that is named, else
    the one that ships. A note where it was another, which is not at hand."""
    text = workshop.calibration_text
    if workshop.request.calibration is None and made is not None and made.calibration_sha256 != text.sha256:
        if made.imatrix != "none":
            seen = made.calibration_text or f"the importance matrix {made.imatrix}"
            workshop.notes.append(f"it was made with {seen}, and nobody looked whether the suite stands in that text")
        return
    keep_apart(suite, text)


def _with_reference(request: Request, artifact: Path, source: SourceSummary | None) -> Request:
    """The request with its reference: the one that was asked for, else the one that the build's report names."""
    if request.model is not None:
        return request
    if source is not None and source.hub_id is not None:
        return replace(request, model=source.hub_id, revision=source.revision)
    if source is not None and source.given == given_name(request):
        return request  # the demo model, if its digest is the same: see `_refuse_other`
    raise UsageError(
        f"which model was {artifact} made from?", hint="name it: --reference FOLDER, a hub id, or an unquantized GGUF"
    )


def _refuse_other(workshop: Workshop, source: SourceSummary | None, artifact: Path) -> None:
    """UsageError where the report beside the artifact says that it was made from other files than the reference's."""
    if source is not None and source.digest != workshop.source_sha256:
        raise UsageError(
            f"{artifact} was made from {source.given} ({source.digest[:12]}...), and the reference is another model"
            f" ({workshop.source_sha256[:12]}...)",
            hint="name the folder that it was made from with --reference, or move the file out of its build folder",
        )
