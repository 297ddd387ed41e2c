"""The verb `profile`: measure any artifact on this machine and judge it."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.catalog.profiles import load_profiles
from edgeshrink.catalog.targets import load_target
from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.core.report import Report
from edgeshrink.core.request import Request
from edgeshrink.core.target import Target
from edgeshrink.devices.draft import target_of
from edgeshrink.devices.local import host_facts
from edgeshrink.devices.matching import best_profile
from edgeshrink.engine.artifacts import Found, find_artifact, trained_context
from edgeshrink.engine.device_sessions import (
    Confirm,
    check_device_format,
    check_vendor_kind,
    device_step,
    run_session,
)
from edgeshrink.engine.measured_report import artifact_in_brief, report_of
from edgeshrink.engine.output import check_output
from edgeshrink.engine.place import Place, open_place, place_of
from edgeshrink.engine.sessions import session_step
from edgeshrink.engine.situation import find_device
from edgeshrink.engine.steps.measuring import Measure, read_measurements
from edgeshrink.engine.steps.network_measuring import MeasureNetwork
from edgeshrink.engine.summary import step_record
from edgeshrink.errors import PlanError, UsageError
from edgeshrink.planning.requested import default_delegate
from edgeshrink.runtimes.registry import runtime
from edgeshrink.store import Store, Stored
from edgeshrink.store.digests import remembered_tree_sha256


def profile(
    artifact: Path | str,
    request: Request | None = None,
    *,
    listener: Listener = silent,
    may_install: Confirm = lambda _question: False,
) -> Report:
    """Measure `artifact` (a GGUF, a .pte, an .onnx, a folder of them) and judge it by the profile of `request`.

    It is measured here, or on the attached device that `request` names; there, without `--profile`, by the profile
    that the device matches. Speed and memory that are not the profile's device's own stay UNKNOWN. `may_install` is
    asked before a Python or packages are brought to a device.
    """
    request = request or Request()
    found = find_measurable(Path(artifact), request)
    target, profile, _ = find_device(request, None)
    delegate = request.delegate or default_delegate(found.format)
    store = Store()
    sha256 = remembered_tree_sha256(found.path, store.notes, listener)
    with store.in_use(), open_place(request, profile, listener) as opened:
        target, place = found_place(request, target, opened)
        stored = _measured(request, found, sha256, target, place, delegate, store, may_install, listener)
    measured = read_measurements(stored.folder)
    told = artifact_in_brief(found, sha256)
    return report_of(
        request, target, place, told, measured, delegate=delegate, network=found.network, steps=(step_record(stored),)
    )


def find_measurable(path: Path, request: Request) -> Found:
    """The artifact that `path` means. UsageError where the report would be written over it."""
    if request.out is not None:
        check_output(request.out)
    found = find_artifact(path)
    if request.out is not None and request.out.resolve() in (found.path.resolve(), found.path.parent.resolve()):
        raise UsageError(f"{request.out} holds the file that is measured", hint="name another folder with -o")
    check_device_format(request, found.format)
    check_vendor_kind(request, found.format, network=found.network)
    return found


def found_place(request: Request, target: Target, place: Place) -> tuple[Target, Place]:
    """Without --profile, an attached device is judged by the profile that it matches: see `found_profile`."""
    if place.attached is None:
        return target, place
    target, profile = found_profile(request, target, place.profile, place.attached.device)
    return target, place if profile is place.profile else place_of(place.attached, profile, anyway=place.anyway)


def found_profile(
    request: Request, target: Target, profile: DeviceProfile, device: ProbedDevice
) -> tuple[Target, DeviceProfile]:
    """The profile that was asked for, else the one that `device` matches; and its target, unless another was named.

    A device that no profile describes has the target of its kind, whose power sources and formats are its own.
    """
    known = None if request.profile is not None else best_profile(device, load_profiles())
    judged_by = profile if known is None else known[0]
    own = target_of(device) if known is None and request.profile is None else judged_by.preferred_target
    asked_otherwise = request.target != Request().target
    return target if asked_otherwise else load_target(own), judged_by


def _measured(
    request: Request,
    found: Found,
    sha256: str,
    target: Target,
    place: Place,
    delegate: str,
    store: Store,
    may_install: Confirm,
    listener: Listener,
) -> Stored:
    attached = place.device_for(request, found.runtime)
    if attached is None:
        step = _step(request, found, sha256, target, place.profile, delegate)
        return store.run(step, listener, again=request.remeasure)
    attached_step = device_step(
        attached,
        request,
        found.path,
        sha256,
        runtime=found.runtime,
        network=found.network,
        context=0 if found.network else context_of(request, found, target),
        budget=place.profile.budget,
        power_sources=target.power_sources,
        delegate=delegate,
        may_install=may_install,
        listener=listener,
    )
    return run_session(store, attached_step, listener, again=request.remeasure)


def context_of(request: Request, found: Found, target: Target) -> int:
    """Tokens: what was asked for, within what the file was trained for."""
    format_ = target.formats.get(found.format)
    if format_ is None:
        raise PlanError(f"the target {target.id} takes no {found.format}", hint="see `edgeshrink targets`")
    return min(request.context or format_.context_tokens, trained_context(found, otherwise=format_.context_tokens))


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
    return session_step(
        request,
        found.path,
        sha256,
        context_of(request, found, target),
        device.budget,
        target.power_sources,
        runtime_name=found.runtime,
        delegate=delegate,
    )
