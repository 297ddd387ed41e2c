"""The verb `profile`: measure any GGUF on this machine and judge it."""

from __future__ import annotations

from pathlib import Path

import edgeshrink
from edgeshrink.catalog.gguf_header import GgufHeader, read_gguf_header
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.quant_types import QUANT_TYPES
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.report import REPORT_SCHEMA, Artifact, Report
from edgeshrink.core.request import Request
from edgeshrink.devices.local import host_facts
from edgeshrink.engine.artifacts import find_artifact, trained_context
from edgeshrink.engine.output import check_output
from edgeshrink.engine.sessions import session_step
from edgeshrink.engine.situation import find_device
from edgeshrink.engine.steps.measuring import read_measurements
from edgeshrink.engine.summary import step_record
from edgeshrink.engine.writing import write_report_folder
from edgeshrink.errors import UsageError
from edgeshrink.judging import judge
from edgeshrink.planning.schemes import SCHEMES
from edgeshrink.store import Store
from edgeshrink.store.digests import remembered_sha256


def profile(artifact: Path | str, request: Request | None = None, *, listener: Listener = silent) -> Report:
    """Measure `artifact` (a GGUF, or a folder of ours) here and judge it by the profile of `request`.

    Speed and memory of a device that this host is not stay UNKNOWN: nothing measured here is its own.
    """
    request = request or Request()
    if request.out is not None:
        check_output(request.out)
    path = find_artifact(Path(artifact))
    if request.out is not None and request.out.resolve() == path.parent.resolve():
        raise UsageError(f"{request.out} holds the file that is measured", hint="name another folder with -o")
    header = read_gguf_header(path)
    target, device, on_this_host = find_device(request, None)
    store = Store()
    sha256 = remembered_sha256(path, store.notes, listener)
    format_ = target.formats["gguf"]
    context = min(request.context or format_.context_tokens, trained_context(header))
    step = session_step(request, path, sha256, context, device.budget, target.power_sources)
    with store.in_use():
        stored = store.run(step, listener, again=request.remeasure)
    measured = read_measurements(stored.folder)
    elsewhere = Unmeasured(f"this host is not {device.name}: what was measured here is this host's")
    report = Report(
        schema=REPORT_SCHEMA,
        version=edgeshrink.__version__,
        created_at=stored.made_at,
        target=target.id,
        profile=device.id,
        profile_name=device.name,
        runs_on_this_host=on_this_host,
        context=context,
        source=None,
        artifact=_artifact(path, sha256, header),
        compression=None,
        candidates=(),
        ladder=(),
        predictions=None,
        quality=None,
        measurements=measured,
        verdict=judge(
            device.budget,
            artifact_bytes=path.stat().st_size,
            measurements=measured if on_this_host else elsewhere,
            quality=Unmeasured("no reference: `edgeshrink build` compares a file with its source"),
            predictions=None,
        ),
        host=host_facts(),
        steps=(step_record(stored),),
        notes=() if on_this_host else (elsewhere.reason,),
        traded_away=(),
    )
    return report if request.out is None else write_report_folder(report, request.out)


def _artifact(path: Path, sha256: str, header: GgufHeader) -> Artifact:
    tensor_bytes = sum(tensor.nbytes for tensor in header.tensors)
    tensors = tuple(
        TensorPlan(item.name, item.name, item.shape, item.dtype, "as in the file") for item in header.tensors
    )
    elements = sum(tensor.elements for tensor in tensors)
    names = {entry.file_type: entry.name for entry in SCHEMES.values()}
    file_type = header.value("general.file_type")
    return Artifact(
        file=path.name,
        format="gguf",
        scheme=names.get(file_type, "unknown") if isinstance(file_type, int) else "unknown",
        sha256=sha256,
        nbytes=path.stat().st_size,
        tensor_bytes=tensor_bytes,
        bits_per_weight=8 * tensor_bytes / elements if elements else 0.0,
        # The ledger counts bytes by type, so a file with types that we do not write has none.
        tensors=tensors if all(tensor.type in QUANT_TYPES for tensor in tensors) else (),
    )
