"""The report of an artifact that was measured and not built here: no source, no quality, what the file itself says."""

from __future__ import annotations

import edgeshrink
from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.quant_types import QUANT_TYPES
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.report import REPORT_SCHEMA, Artifact, Report, StepRecord
from edgeshrink.core.request import Request
from edgeshrink.core.target import Target
from edgeshrink.devices.local import host_facts
from edgeshrink.engine.artifacts import Found
from edgeshrink.engine.place import Place
from edgeshrink.engine.writing import write_report_folder
from edgeshrink.errors import DataError
from edgeshrink.judging.judge import judge
from edgeshrink.planning.schemes import SCHEMES
from edgeshrink.report.manifest import read_manifest


def report_of(
    request: Request,
    target: Target,
    place: Place,
    artifact: Artifact,
    measured: Measurements,
    *,
    delegate: str,
    network: bool,
    steps: tuple[StepRecord, ...],
) -> Report:
    """The report, judged by the place's profile; written to the folder of `request`, where it names one."""
    report = Report(
        schema=REPORT_SCHEMA,
        version=edgeshrink.__version__,
        created_at=max((step.made_at for step in steps), default=measured.taken_at),
        target=target.id,
        profile=place.profile.id,
        profile_name=place.profile.name,
        on_device=place.is_device,
        context=measured.runtime.context,
        source=None,
        artifact=artifact,
        compression=None,
        candidates=(),
        ladder=(),
        predictions=None,
        quality=None,
        measurements=measured,
        verdict=judge(
            place.profile.budget,
            artifact_bytes=artifact.nbytes,
            measurements=place.countable(measured),
            quality=Unmeasured("no reference: `edgeshrink build` compares a file with its source"),
            predictions=None,
            delegate="gpu" if request.gpu_layers else delegate,
            network=network,
        ),
        host=host_facts(),
        steps=steps,
        notes=tuple(dict.fromkeys(filter(None, (place.elsewhere, *place.notes)))),
        traded_away=(),
    )
    return report if request.out is None else write_report_folder(report, request.out)


def artifact_in_brief(found: Found, sha256: str) -> Artifact:
    nbytes = sum(file.stat().st_size for file in found.files)
    if found.runtime != "llama_cpp":
        inside = () if found.path.is_file() else tuple(file.relative_to(found.path).as_posix() for file in found.files)
        return Artifact(found.path.name, found.format, _built_scheme(found), sha256, nbytes, 0, 0.0, (), inside)
    header = read_gguf_header(found.path)
    tensor_bytes = sum(tensor.nbytes for tensor in header.tensors)
    tensors = tuple(
        TensorPlan(item.name, item.name, item.shape, item.dtype, "as in the file") for item in header.tensors
    )
    elements = sum(tensor.elements for tensor in tensors)
    names = {entry.file_type: entry.name for entry in SCHEMES.values()}
    file_type = header.value("general.file_type")
    return Artifact(
        file=found.path.name,
        format="gguf",
        scheme=names.get(file_type, "unknown") if isinstance(file_type, int) else "unknown",
        sha256=sha256,
        nbytes=nbytes,
        tensor_bytes=tensor_bytes,
        bits_per_weight=8 * tensor_bytes / elements if elements else 0.0,
        # The ledger counts bytes by type, so a file with types that we do not write has none.
        tensors=tensors if all(tensor.type in QUANT_TYPES for tensor in tensors) else (),
    )


def _built_scheme(found: Found) -> str:
    """What the manifest of the build's folder says; such a file itself does not tell."""
    try:
        plan = read_manifest(found.path.parent).plan
    except DataError:
        return "unknown"
    return plan.scheme if plan.format == found.format else "unknown"
