"""A base and an adapter as they run together, and both in full precision to compare them with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edgeshrink.catalog.texts import evaluation_text
from edgeshrink.core.quality import Quality
from edgeshrink.core.reading import Unmeasured
from edgeshrink.engine.adapters_opened import OpenAdapter
from edgeshrink.engine.steps.export_adapter import GGUF_FILE, ONNX_FILE, ExportGgufAdapter, ExportOnnxAdapter
from edgeshrink.engine.steps.pair_evaluation import EvaluatePair, read_pair_quality
from edgeshrink.engine.suite.examination import Examination, Side
from edgeshrink.engine.workshop import File, Workshop
from edgeshrink.evaluate.subject import Subject
from edgeshrink.store.digests import combined_sha256

_MODEL = "model.onnx"


@dataclass(frozen=True, slots=True)
class Pair:
    """A base and an adapter, as they run and in full precision: the adapter is `exact` there, and `reference` None
    where that does not fit this machine."""

    one: OpenAdapter
    subject: Subject
    sha256: str
    exact: File
    reference: Side | None


def adapter_file(workshop: Workshop, one: OpenAdapter, format: str, artifact: Path, sha256: str) -> File:
    """The adapter as the runtime of `format` takes it beside `artifact`."""
    if format == "gguf":
        return _gguf(workshop, one, "F16")
    step = ExportOnnxAdapter(
        facts=workshop.model.facts,
        adapter=one.adapter,
        adapter_sha256=one.sha256,
        model=artifact / _MODEL,
        artifact_sha256=sha256,
        runtime_build=workshop.runtime_build("onnx"),
        log=workshop.log_file(f"adapter-{one.adapter.name}"),
    )
    return File.of(workshop.run(step), ONNX_FILE)


def pair_of(
    workshop: Workshop, one: OpenAdapter, subject: Subject, sha256: str, file: File, exact: File | None = None
) -> Pair:
    """`subject`, whose digest is `sha256`, with the adapter's `file`; beside it the reference with the same adapter, in
    F32 or as it stands in the GGUF `exact`."""
    both = replace(subject, adapter=file.path)
    exact = exact or _gguf(workshop, one, "F32")
    reference = None
    if workshop.reference_too_big is None:
        plain_file = workshop.reference_file
        reference = Side(
            Subject(plain_file.path, "llama_cpp", "cpu", exact.path),
            _together(plain_file.sha256, exact.sha256),
            f"{workshop.reference_name} with the adapter {one.adapter.name}",
        )
    return Pair(one, both, _together(sha256, file.sha256), exact, reference)


def examined_pair(examination: Examination | Unmeasured, pair: Pair) -> Examination | Unmeasured:
    """The examination of the base, of the pair instead."""
    if isinstance(examination, Unmeasured) or pair.reference is None:
        return examination if isinstance(examination, Unmeasured) else Unmeasured("the reference cannot be run here")
    candidate = replace(examination.candidate, subject=pair.subject, sha256=pair.sha256)
    return replace(examination, candidate=candidate, reference=pair.reference)


def quality_of(workshop: Workshop, pair: Pair) -> Quality | Unmeasured:
    """The pair against both in full precision, on the evaluation text."""
    side, one = pair.reference, pair.one
    if side is None:
        return Unmeasured(workshop.reference_too_big or "the reference cannot be run here")
    step = EvaluatePair(
        subject=pair.subject,
        subject_sha256=pair.sha256,
        source_sha256=workshop.source_sha256,
        facts=workshop.model.facts,
        adapter=one.adapter,
        adapter_sha256=one.sha256,
        reference=workshop.read_by_reference(side.name, pair.exact),
        text=evaluation_text(),
        context=workshop.window,
        threads=workshop.threads,
        runtime_build=workshop.runtime_build(pair.subject.runtime),
    )
    return read_pair_quality(workshop.run(step).folder)


def _gguf(workshop: Workshop, one: OpenAdapter, type: str) -> File:
    step = ExportGgufAdapter(
        facts=workshop.model.facts,
        source_sha256=workshop.source_sha256,
        adapter=one.adapter,
        adapter_sha256=one.sha256,
        type=type,
        threads=workshop.threads,
    )
    return File.of(workshop.run(step), GGUF_FILE)


def _together(base: str, adapter: str) -> str:
    return combined_sha256((("base", base), ("adapter", adapter)))
