"""The verb `profile`: measure any artifact on this machine and judge it."""

from __future__ import annotations

from pathlib import Path

import edgeshrink
from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.core.quant_types import QUANT_TYPES
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.report import REPORT_SCHEMA, Artifact, Report
from edgeshrink.core.request import Request
from edgeshrink.core.target import Target
from edgeshrink.devices.local import host_facts
from edgeshrink.engine.artifacts import Found, find_artifact, trained_context
from edgeshrink.engine.output import check_output
from edgeshrink.engine.sessions import session_step
from edgeshrink.engine.situation import find_device
from edgeshrink.engine.steps.measuring import Measure, read_measurements
from edgeshrink.engine.steps.network_measuring import MeasureNetwork
from edgeshrink.engine.summary import step_record
from edgeshrink.engine.writing import write_report_folder
from edgeshrink.errors import DataError, PlanError, UsageError
from edgeshrink.judging import judge
from edgeshrink.planning.requested import default_delegate
from edgeshrink.planning.schemes import SCHEMES
from edgeshrink.report.manifest import read_manifest
from edgeshrink.runtimes.registry import runtime
from edgeshrink.store import Store
from edgeshrink.store.digests import remembered_tree_sha256


def profile(artifact: Path | str, request: Request | None = None, *, listener: Listener = silent) -> Report:
    """Measure `artifact` (a GGUF, a .pte, an .onnx, a folder of them) here and judge it by the profile of `request`.

    Speed and memory of a device that this host is not stay UNKNOWN: nothing measured here is its own.
    """
    request = request or Request()
    if request.out is not None:
        check_output(request.out)
    found = find_artifact(Path(artifact))
    if request.out is not None and request.out.resolve() in (found.path.resolve(), found.path.parent.resolve()):
        raise UsageError(f"{request.out} holds the file that is measured", hint="name another folder with -o")
    target, device, on_this_host = find_device(request, None)
    store = Store()
    sha256 = remembered_tree_sha256(found.path, store.notes, listener)
    delegate = request.delegate or default_delegate(found.format)
    step = _step(request, found, sha256, target, device, delegate)
    with store.in_use():
        stored = store.run(step, listener, again=request.remeasure)
    measured = read_measurements(stored.folder)
    elsewhere = Unmeasured(f"this host is not {device.name}: what was measured here is this host's")
    told = _artifact(found, sha256)
    report = Report(
        schema=REPORT_SCHEMA,
        version=edgeshrink.__version__,
        created_at=stored.made_at,
        target=target.id,
        profile=device.id,
        profile_name=device.name,
        runs_on_this_host=on_this_host,
        context=measured.runtime.context,
        source=None,
        artifact=told,
        compression=None,
        candidates=(),
        ladder=(),
        predictions=None,
        quality=None,
        measurements=measured,
        verdict=judge(
            device.budget,
            artifact_bytes=told.nbytes,
            measurements=measured if on_this_host else elsewhere,
            quality=Unmeasured("no reference: `edgeshrink build` compares a file with its source"),
            predictions=None,
            delegate="gpu" if request.gpu_layers else delegate,
            network=found.network,
        ),
        host=host_facts(),
        steps=(step_record(stored),),
        notes=() if on_this_host else (elsewhere.reason,),
        traded_away=(),
    )
    return report if request.out is None else write_report_folder(report, request.out)


def _step(
    request: Request, found: Found, sha256: str, target: Target, device: DeviceProfile, delegate: str
) -> Measure | MeasureNetwork:
    if found.network:
        return MeasureNetwork(
            artifact=found.path,
            artifact_sha256=sha256,
            samples=None,
            samples_sha256="",
            runtime=found.runtime,
            delegate=delegate,
            threads=request.threads,
            power_sources=target.power_sources,
            runtime_build=runtime(found.runtime).build_id(),
            host_id=host_facts().id,
        )
    format_ = target.formats.get(found.format)
    if format_ is None:
        raise PlanError(f"the target {target.id} takes no {found.format}", hint="see `edgeshrink targets`")
    longest = format_.context_tokens
    context = min(request.context or longest, trained_context(found, otherwise=longest))
    return session_step(
        request,
        found.path,
        sha256,
        context,
        device.budget,
        target.power_sources,
        runtime_name=found.runtime,
        delegate=delegate,
    )


def _artifact(found: Found, sha256: str) -> Artifact:
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
