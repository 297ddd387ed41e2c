"""The verb `build` for a network: export, quantize, compare with the float network, keep what is sensitive, measure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import edgeshrink
from edgeshrink.core.events import Listener
from edgeshrink.core.lock import Lock
from edgeshrink.core.network import NetworkSource
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.report import REPORT_SCHEMA, Artifact, Compression, Report, SourceSummary
from edgeshrink.core.request import Request
from edgeshrink.devices.cpu import default_threads
from edgeshrink.devices.local import host_facts
from edgeshrink.engine.device_sessions import Confirm, check_device_format
from edgeshrink.engine.lock import early_pins, lock_of, pins, refuse_drift
from edgeshrink.engine.networks.search import Tried, search
from edgeshrink.engine.networks.situation import NetworkSituation, check_network_request, find_network_situation
from edgeshrink.engine.networks.workshop import NetworkWorkshop
from edgeshrink.engine.output import check_output, folder_name
from edgeshrink.engine.place import matched, open_place
from edgeshrink.engine.suite.chosen import NONE
from edgeshrink.engine.summary import artifact_name, step_record, version_notes
from edgeshrink.engine.writing import write_build_folder
from edgeshrink.errors import UsageError
from edgeshrink.runtimes.network_facts import network_facts
from edgeshrink.store import Store


def build_network(
    request: Request, source: NetworkSource, lock: Lock | None, *, may_install: Confirm, listener: Listener
) -> Report:
    """Build the network `source` and write its folder."""
    _refuse_language_options(request)
    check_network_request(request)
    store = Store()
    facts = network_facts(source)
    situation = find_network_situation(request, facts)
    out = request.out or Path("edgeshrink-out") / folder_name(
        replace(request, format=situation.format_name), facts.name
    )
    check_output(out)
    check_device_format(request, situation.format_name)
    threads = request.threads or default_threads()
    with open_place(request, situation.profile, listener) as opened, store.in_use():
        request, place = matched(request, situation.target, opened)
        situation = find_network_situation(request, facts)
        workshop = NetworkWorkshop(situation, store, listener, threads, place, may_install)
        workshop.note_versions()
        target, profile = situation.target, situation.profile
        if lock is not None:
            refuse_drift(lock, early_pins(network_summary(workshop), situation.format_name, target, profile))
        tried = search(workshop)
        report = _tell(workshop, tried)
        now = lock_of(request, report, target, profile)
        if lock is not None:
            refuse_drift(lock, pins(now))
        return write_build_folder(report, tried[-1].artifact, now, facts.source.path, out, store.notes)


def _refuse_language_options(request: Request) -> None:
    for flag, given in (
        ("--tensor-type", bool(request.tensor_types)),
        ("--expert-types", request.expert_types != "mix"),
        ("--imatrix", request.imatrix != "default"),
        ("--context", request.context is not None),
        ("--gpu-layers", request.gpu_layers > 0),
        ("--suite", request.suite not in (None, NONE)),
        ("--gate", bool(request.gates)),
    ):
        if given:
            raise UsageError(f"{flag} is for language models, and {request.model} is a network", hint="leave it out")


def _tell(workshop: NetworkWorkshop, tried: tuple[Tried, ...]) -> Report:
    """The report. Its time is that of the newest result, so that an identical build writes identical bytes."""
    situation, last = workshop.situation, tried[-1]
    facts, target = situation.facts, situation.target
    steps = tuple(step_record(stored) for stored in workshop.used)
    measured = last.measurements
    quality = last.quality
    said = last.artifact.times.notes if last.artifact.times else ()
    notes = [*facts.notes, *workshop.notes, *workshop.place.notes, *said, *version_notes(target, situation.format_name)]
    if isinstance(quality, Unmeasured):
        notes.append(quality.reason)
    if situation.request.calibration is None and "random" in workshop.samples_origin:
        notes.append("calibrated and judged on random inputs: name real ones with --calibration before you trust it")
    if last.recipe.scheme != "fp32" and last.artifact.nbytes > 4 * facts.parameters:
        notes.append(
            f"the {last.recipe.scheme} file is larger than the float32 weights: the network is too small to gain"
        )
    return Report(
        schema=REPORT_SCHEMA,
        version=edgeshrink.__version__,
        created_at=max(step.made_at for step in steps),
        target=target.id,
        profile=situation.profile.id,
        profile_name=situation.profile.name,
        on_device=workshop.place.is_device,
        context=0,
        source=network_summary(workshop),
        artifact=_artifact(situation, last),
        compression=_compression(workshop, last),
        candidates=situation.candidates,
        ladder=tuple(entry.rung for entry in tried),
        predictions=situation.predictions(last.recipe.scheme),
        quality=None if isinstance(quality, Unmeasured) else quality,
        measurements=None if isinstance(measured, Unmeasured) else measured,
        verdict=last.verdict,
        host=host_facts(),
        steps=steps,
        notes=tuple(notes),
        traded_away=tuple(_traded_away(workshop, last)),
        export_times=last.artifact.times,
    )


def network_summary(workshop: NetworkWorkshop) -> SourceSummary:
    """The network that the workshop builds, for report and lock."""
    facts = workshop.situation.facts
    return SourceSummary(
        given=facts.source.hub_id or facts.name,
        kind=facts.source.kind,
        model_type=facts.family,
        digest=workshop.source_sha256,
        hub_id=facts.source.hub_id,
        revision=facts.source.revision,
        license=facts.source.license,
        parameters=facts.parameters,
        dtype=facts.dtype,
    )


def _artifact(situation: NetworkSituation, last: Tried) -> Artifact:
    nbytes = last.artifact.nbytes
    return Artifact(
        file=artifact_name(situation.facts.name, last.recipe.scheme, last.recipe.format, last.artifact),
        format=last.recipe.format,
        scheme=last.recipe.scheme,
        sha256=last.artifact.sha256,
        nbytes=nbytes,
        tensor_bytes=last.delegation.weight_bytes,
        bits_per_weight=8 * last.delegation.weight_bytes / max(1, situation.facts.parameters),
        tensors=(),
        delegation=last.delegation,
    )


def _compression(workshop: NetworkWorkshop, last: Tried) -> Compression:
    recipe = last.recipe
    scale = "one scale a channel" if recipe.per_channel else "one scale a tensor"
    zero = "symmetric" if recipe.symmetric_activations else "asymmetric"
    method = {
        "int8": f"int8: static post-training quantization, weights with {scale}, {zero} activations",
        "int8-dynamic": f"int8-dynamic: weights with {scale}, activations quantized as they come",
        "int8-weight": f"int8-weight: weights alone, {scale}",
    }.get(recipe.scheme, f"{recipe.scheme}: no integer quantization")
    if recipe.keep:
        method += f"; {len(recipe.keep)} sensitive layers kept in float: {', '.join(recipe.keep)}"
    if recipe.scheme != "int8":
        return Compression(method, "none", "", "", 0)
    return Compression(method, "none", workshop.samples_origin, workshop.calibration_sha256, 0)


def _traded_away(workshop: NetworkWorkshop, last: Tried) -> list[str]:
    facts = workshop.situation.facts
    floats, nbytes = 4 * facts.parameters, last.artifact.nbytes
    told = [f"{floats:,} bytes of float32 weights became a file of {nbytes:,}"] if nbytes < floats else []
    quality = last.quality
    if not isinstance(quality, Unmeasured) and not isinstance(quality.same_top_share, Unmeasured):
        told.append(f"{1 - quality.same_top_share.value:.1%} of decisions changed, over {quality.samples} samples")
    return told
