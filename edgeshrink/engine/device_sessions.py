"""Which session an artifact gets on an attached device: the native runner's for a GGUF, else that of a vendor's runner
where one is named, else a Python's there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgeshrink.core.budget import Budget
from edgeshrink.core.device import parse_address
from edgeshrink.core.events import Listener
from edgeshrink.core.request import Request
from edgeshrink.engine.attached import Attached
from edgeshrink.engine.runners import runner_for
from edgeshrink.engine.sessions import session_lengths
from edgeshrink.engine.steps.device_measuring import MeasureOnDevice
from edgeshrink.engine.steps.device_python import MeasureInPython
from edgeshrink.engine.steps.device_vendor import MeasureWithVendor
from edgeshrink.engine.steps.measuring import read_measurements
from edgeshrink.errors import PlanError, UsageError
from edgeshrink.measure.device.vendor.program import identified, named_program
from edgeshrink.measure.device.vendor.registry import check_fit, known
from edgeshrink.store import Store, Stored

ALL_LAYERS = 999
"""llama.cpp offloads as many as there are."""

Confirm = Callable[[str], bool]
DeviceStep = MeasureOnDevice | MeasureInPython | MeasureWithVendor


def device_step(
    attached: Attached,
    request: Request,
    artifact: Path,
    sha256: str,
    *,
    runtime: str,
    network: bool,
    context: int,
    budget: Budget,
    power_sources: tuple[str, ...],
    delegate: str,
    may_install: Confirm,
    listener: Listener,
) -> DeviceStep:
    """The step that measures `artifact` there; the native runner is built first, where there is none for the device.

    `may_install` is asked before a Python or its packages are brought to the device.
    """
    prompt_tokens = session_lengths(budget, request.session.prompt_tokens)
    if runtime != "llama_cpp" and request.session.vendor_runner is not None:
        return MeasureWithVendor(
            attached=attached,
            program=identified(named_program(request.session.vendor_runner), attached.transport),
            artifact=artifact,
            artifact_sha256=sha256,
            format=runtime,
            network=network,
            delegate=delegate,
            context=context,
            threads=request.threads,
            prompt_tokens=prompt_tokens,
            power_sources=(),
            options=request.session,
        )
    if runtime != "llama_cpp":
        return MeasureInPython(
            attached=attached,
            artifact=artifact,
            artifact_sha256=sha256,
            runtime=runtime,
            network=network,
            delegate=delegate,
            context=context,
            threads=request.threads,
            prompt_tokens=prompt_tokens,
            power_sources=power_sources,
            options=request.session,
            confirm=may_install,
        )
    runner = runner_for(attached.device, attached.transport, gpu=offloads(request, delegate), listener=listener)
    return MeasureOnDevice(
        attached=attached,
        runner=runner,
        artifact=artifact,
        artifact_sha256=sha256,
        context=context,
        threads=request.threads,
        gpu_layers=gpu_layers_of(request, delegate),
        prompt_tokens=prompt_tokens,
        power_sources=power_sources,
        options=request.session,
    )


def offloads(request: Request, delegate: str) -> bool:
    """Whether a GPU is asked for: by a delegate, or by a number of layers."""
    return delegate != "cpu" or request.gpu_layers > 0


def gpu_layers_of(request: Request, delegate: str) -> int:
    """Layers to offload: as many as were asked for; all where a delegate other than the CPU was."""
    return request.gpu_layers or (ALL_LAYERS if delegate != "cpu" else 0)


def check_device_format(request: Request, format: str) -> None:
    """Refuse in the first second what no session on that device can run."""
    if request.session.vendor_runner is not None:
        _check_vendor_runner(request, request.session.vendor_runner, format)
        return
    if request.device is None or format == "gguf" or parse_address(request.device).kind != "adb":
        return
    raise PlanError(
        f"{request.device}: the {format} runtimes' Python packages have no wheels for Android",
        hint="measure --format gguf there, or name the runtime's own runner, built for Android, with --vendor-runner",
    )


def check_vendor_kind(request: Request, format: str, *, network: bool) -> None:
    """DeviceError where the runner that is named, as far as its name tells, runs something else."""
    if request.session.vendor_runner is not None:
        runner = known(named_program(request.session.vendor_runner).name)
        if runner is not None:
            check_fit(runner, format, network=network)


def _check_vendor_runner(request: Request, runner: str, format: str) -> None:
    program = named_program(runner)
    if request.device is None:
        raise UsageError("--vendor-runner needs a device to run on", hint="name one: --device adb:SERIAL")
    if format == "gguf":
        raise UsageError(
            f"--vendor-runner {program.place} is for .onnx and .pte", hint="a GGUF is measured without: leave it away"
        )


def run_session(store: Store, step: DeviceStep, listener: Listener, *, again: bool) -> Stored:
    """The stored session or a new one; a session that ended early is kept for the report and never taken again."""
    stored = store.run(step, listener, again=again)
    reused = store.decisions[-1].reused
    if reused and read_measurements(stored.folder).partial:
        return store.run(step, listener, again=True)
    return stored
