"""Parts of the report that are told from values: the source, the artifact, what was traded away."""

from __future__ import annotations

import re
from collections.abc import Iterator

from edgeshrink.core.delegation import Delegation
from edgeshrink.core.plan import Plan
from edgeshrink.core.quality import Quality
from edgeshrink.core.quant_types import quant_type
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.report import Artifact, Report, SourceSummary, StepRecord
from edgeshrink.core.target import Target
from edgeshrink.engine.artifacts import Finished
from edgeshrink.engine.installed import STANDS_ON, versions
from edgeshrink.engine.opened import OpenModel
from edgeshrink.store import Stored


def step_record(stored: Stored) -> StepRecord:
    return StepRecord(stored.step, stored.key, stored.made_at, stored.seconds)


def source_summary(model: OpenModel, digest: str) -> SourceSummary:
    source = model.facts.source
    return SourceSummary(
        given=source.hub_id or model.name,
        kind=source.kind,
        model_type=model.facts.model_type,
        digest=digest,
        hub_id=source.hub_id,
        revision=source.revision,
        license=source.license,
        parameters=model.parameters,
        dtype=model.facts.dtype,
    )


def artifact_summary(model: OpenModel, artifact: Finished, plan: Plan, delegation: Delegation | None) -> Artifact:
    return Artifact(
        file=artifact_name(model.name, plan.scheme, plan.format, artifact),
        format=plan.format,
        scheme=plan.scheme,
        sha256=artifact.sha256,
        nbytes=artifact.nbytes,
        tensor_bytes=plan.tensor_bytes,
        bits_per_weight=8 * plan.tensor_bytes / model.parameters,
        tensors=plan.tensors,
        files=() if artifact.path.is_file() else tuple(name for name, _, _ in artifact.files),
        delegation=delegation,
    )


def artifact_name(model: str, scheme: str, format: str, artifact: Finished) -> str:
    """What the file is called in the output folder; a folder of files is named for its format, too."""
    return f"{model}-{scheme}{artifact.path.suffix}" if artifact.path.is_file() else f"{model}-{scheme}-{format}"


def traded_away(model: OpenModel, plan: Plan, quality: Quality | Unmeasured) -> Iterator[str]:
    """What the smaller file costs, in sentences of measured figures only; nothing where nothing was rounded."""
    source_bits = 8 * quant_type(model.facts.dtype).block_bytes
    bits = 8 * plan.tensor_bytes / model.parameters
    if bits < source_bits:
        yield (
            f"{source_bits} bits per weight became {bits:.2f}: the tensors take {bits / source_bits:.0%} of their bytes"
        )
    if isinstance(quality, Quality):
        changed, ratio = quality.same_top_share, quality.perplexity_ratio
        if isinstance(changed, Measured) and changed.value < 1:
            yield f"{1 - changed.value:.1%} of next tokens changed, over {quality.tokens} positions"
        if isinstance(ratio, Measured) and abs(ratio.value - 1) >= 5e-5:
            yield f"perplexity on the evaluation text changed by {ratio.value - 1:+.2%}"
    fallbacks = [tensor for tensor in plan.tensors if _FELL_BACK.search(tensor.why)]
    if fallbacks:
        yield f"{len(fallbacks)} tensors fell back to a larger type, {fallbacks[0].name} first: {fallbacks[0].why}"


def report_code(report: Report, *, strict: bool) -> int:
    """A command's exit code: the verdict's, or 2 where the session that measured ended early."""
    early = report.measurements is not None and report.measurements.partial
    return 2 if early else report.verdict.exit_code(strict=strict)


_FELL_BACK = re.compile(r"^fallback|^F16: rows|^8 bits: rows")


def version_notes(target: Target, format: str) -> Iterator[str]:
    """Where the tools that built this are not those that the target pins."""
    installed = versions()
    for name, pinned in target.pins.items():
        found = installed.get(name, pinned)
        if name in STANDS_ON[format] and found.partition("+")[0] != pinned:  # "+cpu": a local build of that version
            yield f"built with {name} {found}; the target {target.id} was tested with {pinned}"
