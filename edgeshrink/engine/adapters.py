"""`build --adapter`: adapters that belong to the base, as files of its format, each judged as the pair that runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edgeshrink.catalog.adapters import is_adapter, read_adapter
from edgeshrink.catalog.texts import evaluation_text
from edgeshrink.core.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS, Adapter, BuiltAdapter
from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.plain import plain
from edgeshrink.core.plan import Plan
from edgeshrink.core.quality import Quality
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.report import Report
from edgeshrink.core.request import Request
from edgeshrink.core.suite import Suite
from edgeshrink.core.verdict import Verdict, VerdictLine
from edgeshrink.engine.climb import Built, gated
from edgeshrink.engine.steps.export_adapter import GGUF_FILE, ONNX_FILE, ExportGgufAdapter, ExportOnnxAdapter
from edgeshrink.engine.steps.pair_evaluation import EvaluatePair, read_pair_quality
from edgeshrink.engine.steps.reference import RunReference
from edgeshrink.engine.suite.examination import Examination, Side
from edgeshrink.engine.suite.of_build import examination_of, gains_of_build
from edgeshrink.engine.suite.run import run_suite
from edgeshrink.engine.workshop import File, Workshop
from edgeshrink.errors import DataError, UsageError
from edgeshrink.evaluate.subject import Subject
from edgeshrink.judging.adapters import adapter_line
from edgeshrink.judging.judge import overall
from edgeshrink.planning.adapters import adapted_tensors
from edgeshrink.planning.requested import delegate_here
from edgeshrink.planning.resolve import Situation
from edgeshrink.store.digests import combined_sha256, remembered_sha256

ADAPTERS: Final = "adapters"
"""The folder of a build's folder that they stand in."""
SUFFIXES: Final = {"gguf": ".gguf", "onnx": ".onnx_adapter"}
"""By format; the others take none."""
_MODEL = "model.onnx"
_LONGEST_NAME = 100
_TRAIN_AGAIN = "train it again on this base (edgeshrink distill --lora-rank), or build the model that it was trained on"


@dataclass(frozen=True, slots=True)
class OpenAdapter:
    """An adapter that fits the base. `sha256`: over its files' sha256, in name order."""

    adapter: Adapter
    sha256: str
    notes: tuple[str, ...] = ()

    @property
    def weights(self) -> Iterator[str]:
        return (update.weight for update in self.adapter.updates)


@dataclass(frozen=True, slots=True)
class Shipped:
    """One that ships: what the report says of it, its line of the verdict, and its file."""

    told: BuiltAdapter
    line: VerdictLine
    file: Path


@dataclass(frozen=True, slots=True)
class Pair:
    """A base and an adapter, as they run and in full precision: the adapter is `exact` there, and `reference` None
    where that does not fit this machine."""

    one: OpenAdapter
    subject: Subject
    sha256: str
    exact: File
    reference: Side | None


def check_adapters(request: Request) -> None:
    """UsageError, before any work, where adapters are asked for on a model that the build may change itself."""
    if request.adapters and request.train_for_grid:
        raise UsageError(
            "--train-for-grid changes the weights, and an adapter belongs to the very weights it was trained on",
            hint="distill --objective grid first, train the adapters on that folder, and build it with --adapter",
        )


def open_adapters(workshop: Workshop, format: str) -> tuple[OpenAdapter, ...]:
    """Those that the request names. Before any work: UsageError where the format takes none or two are called alike,
    DataError where one is of another base."""
    folders = workshop.request.adapters
    if folders and format not in SUFFIXES:
        raise UsageError(
            f"{format} runs no adapters beside a model, and --adapter was given",
            hint="merge it into its base (edgeshrink distill --merge) and build the merged folder, or --format gguf",
        )
    found = tuple(open_adapter(workshop, folder) for folder in folders)
    names = [one.adapter.name for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"several adapters are called {', '.join(twice)}", hint="rename their folders")
    workshop.adapter_weights = tuple(sorted({weight for one in found for weight in one.weights}))
    return found


def open_adapter(workshop: Workshop, folder: Path) -> OpenAdapter:
    """The adapter in `folder`, which fits the workshop's model in shapes and, where it says so, in digest."""
    if not is_adapter(folder):
        raise UsageError(
            f"{folder} is no adapter: it has no {ADAPTER_CONFIG}",
            hint="give a folder that `edgeshrink distill --lora-rank` or peft wrote",
        )
    adapter = read_adapter(folder)
    adapter = replace(adapter, name=file_name(adapter.name))
    given, digest = workshop.model.facts.source.given, workshop.source_sha256
    check_base(adapter, digest, given)
    adapted_tensors(workshop.model.facts, adapter)
    files = ((name, remembered_sha256(folder / name, workshop.store.notes)) for name in _FILES)
    notes = () if adapter.base else (f"adapter {adapter.name} {unsaid_base(adapter)}",)
    return OpenAdapter(adapter, combined_sha256(files), notes)


def check_base(adapter: Adapter, digest: str, name: str) -> None:
    """DataError where the adapter says that it was trained on another base than `name`, whose digest is `digest`."""
    if adapter.base:
        same_base(adapter.name, (adapter.base, adapter.base_name), (digest, name))


def same_base(adapter: str, trained_on: tuple[str, str], here: tuple[str, str]) -> None:
    """DataError where the digests of the two (digest, name) are known and differ."""
    if trained_on[0] and here[0] and trained_on[0] != here[0]:
        raise DataError(
            f"adapter {adapter} was trained on {trained_on[1] or 'another model'} ({trained_on[0][:12]}...), "
            f"and the base here is {here[1]} ({here[0][:12]}...)",
            hint=_TRAIN_AGAIN,
        )


def unsaid_base(adapter: Adapter) -> str:
    """Of one that does not say which weights it was trained on."""
    named = f" but names {adapter.base_name}" if adapter.base_name else ""
    return f"does not say which weights it was trained on{named}: its shapes fit, and nobody could check more"


def ship_adapters(
    workshop: Workshop, situation: Situation, built: Built, suite: Suite | None, adapters: Sequence[OpenAdapter]
) -> tuple[Shipped, ...]:
    """Each of `adapters` as a file for the artifact of `built`, compared and asked as the pair that it will run as."""
    return tuple(_shipped(workshop, situation, built, suite, one) for one in adapters)


def told_with(report: Report, shipped: Sequence[Shipped]) -> Report:
    """The report with what ships beside the artifact: a pair that fails fails the build."""
    if not shipped:
        return report
    notes = report.notes
    if report.verdict.outcome == "FAIL":
        notes = (*notes, "no other model was made of it: its adapters would not fit that one")
    lines = (*report.verdict.lines, *(one.line for one in shipped))
    verdict = Verdict(overall(tuple(line.outcome for line in lines)), lines)
    return replace(report, adapters=tuple(one.told for one in shipped), verdict=verdict, notes=notes)


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
    stored = workshop.run(
        RunReference(
            gguf=side.subject.path,
            gguf_sha256=workshop.reference_file.sha256,
            name=side.name,
            text=evaluation_text(),
            context=workshop.window,
            threads=workshop.threads,
            runtime_build=workshop.runtime_build(),
            adapter=(pair.exact.path, pair.exact.sha256),
        )
    )
    step = EvaluatePair(
        subject=pair.subject,
        subject_sha256=pair.sha256,
        source_sha256=workshop.source_sha256,
        facts=workshop.model.facts,
        adapter=one.adapter,
        adapter_sha256=one.sha256,
        reference=(stored.folder, combined_sha256(stored.digests.items())),
        text=evaluation_text(),
        context=workshop.window,
        threads=workshop.threads,
        runtime_build=workshop.runtime_build(pair.subject.runtime),
    )
    return read_pair_quality(workshop.run(step).folder)


def _shipped(workshop: Workshop, situation: Situation, built: Built, suite: Suite | None, one: OpenAdapter) -> Shipped:
    plan, artifact, adapter = built.plan, built.artifact, one.adapter
    file = adapter_file(workshop, one, plan.format, artifact.path, artifact.sha256)
    here = delegate_here(situation.request, plan.delegate, plan.format, on_this_host=situation.on_this_host)
    pair = pair_of(workshop, one, Subject(artifact.path, plan.runtime, here), artifact.sha256, file)
    budget, gains = gated(situation.profile.budget, workshop.request), gains_of_build(workshop, artifact.nbytes)
    quality = built.quality if isinstance(built.quality, Unmeasured) else quality_of(workshop, pair)
    behaviour: Behaviour | Unmeasured | None = None
    if suite is not None:
        behaviour = _behaviour(workshop, suite, situation, built, pair, quality)
    line = adapter_line(adapter.name, budget, quality, behaviour, gains)
    nbytes = file.path.stat().st_size
    told = BuiltAdapter(
        name=adapter.name,
        file=f"{ADAPTERS}/{adapter.name}{SUFFIXES[plan.format]}",
        nbytes=nbytes,
        sha256=file.sha256,
        rank=adapter.rank,
        share_of_base=nbytes / artifact.nbytes,
        mean_kl=quality if isinstance(quality, Unmeasured) else quality.mean_kl,
        behaviour=behaviour if isinstance(behaviour, Behaviour) else None,
        notes=(*one.notes, *_other_scheme(adapter, plan)),
        outcome=line.outcome,
        quality=None if isinstance(quality, Unmeasured) else quality,
        given_sha256=one.sha256,
        parameters=adapter.parameters,
        alpha=adapter.alpha,
        targets=adapter.targets,
        scheme=adapter.scheme,
        license=adapter.license,
    )
    return Shipped(told, line, file.path)


def _behaviour(
    workshop: Workshop, suite: Suite, situation: Situation, built: Built, pair: Pair, quality: Quality | Unmeasured
) -> Behaviour | Unmeasured:
    if isinstance(quality, Unmeasured):
        return quality
    if quality.failed_checks:
        return Unmeasured("a check on the base with its adapter failed: no suite was run")
    floor = gated(situation.profile.budget, workshop.request).quality
    gains = gains_of_build(workshop, built.artifact.nbytes)
    examination = examination_of(workshop, suite, floor, pair.subject, pair.sha256, built.plan.context, gains)
    found = examined_pair(examination, pair)
    return found if isinstance(found, Unmeasured) else run_suite(found)


def _other_scheme(adapter: Adapter, plan: Plan) -> Iterator[str]:
    if adapter.scheme is not None and adapter.scheme != plan.scheme:
        yield (
            f"adapter {adapter.name} was trained on its base at {adapter.scheme}, and runs on it at {plan.scheme}: "
            "what it learnt about the rounding of the one may not hold of the other"
        )


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


_FILES = tuple(sorted((ADAPTER_CONFIG, ADAPTER_WEIGHTS)))


def file_name(name: str) -> str:
    """A name that a file can have on every system."""
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in plain(name))
    return safe.strip(".")[:_LONGEST_NAME] or "adapter"
