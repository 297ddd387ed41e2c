"""The native runner for a device: kept from before, compiled here, or compiled on the device for its GPU."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.events import Listener
from edgeshrink.devices.local import host_facts
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.devices.workspace import open_workspace
from edgeshrink.engine.attached import leftovers_folder
from edgeshrink.engine.runner_folder import runner_folder
from edgeshrink.errors import ToolMissing
from edgeshrink.toolchain.runner.backends import backend_for
from edgeshrink.toolchain.runner.build import BuiltRunner, build_runner
from edgeshrink.toolchain.runner.installed import llama_libraries
from edgeshrink.toolchain.runner.platform import native_platform, platform_for
from edgeshrink.toolchain.runner.remote import build_on_device, tools_on


def runner_for(device: ProbedDevice, transport: Transport, *, gpu: bool = False, listener: Listener) -> BuiltRunner:
    """A runner that works on `device`; `gpu`: one that computes on its GPU.

    This machine's own is linked to the installed llama.cpp and has the backends of that. A Mac builds its own, with
    Metal. Others get a static file for their CPU, or build one for their GPU. ToolMissing, DeviceError, StepFailed.
    """
    folder = runner_folder()
    if device.address == "local" or _is_here(device, transport):
        return build_runner(native_platform(), folder, listener=listener)
    if not gpu and device.system != "darwin":
        return build_runner(platform_for(device), folder, listener=listener)
    try:
        return _on_device(device, transport, folder, listener)
    except ToolMissing:
        if gpu:
            raise
        return build_runner(platform_for(device), folder, listener=listener)  # a Mac without a compiler: its CPU


def _is_here(device: ProbedDevice, transport: Transport) -> bool:
    """Whether the link leads back to this machine and its files, so that the linked runner works there."""
    if device.id != host_facts().id:
        return False
    try:
        return transport.run(("test", "-d", str(llama_libraries()))).status == 0
    except ToolMissing:
        return False


def _on_device(device: ProbedDevice, transport: Transport, folder: Path, listener: Listener) -> BuiltRunner:
    tools = tools_on(transport)
    backend = backend_for(device, tools)
    with ExitStack() as stack:

        def work() -> str:  # nothing is put on a device whose runner is kept here
            opened = open_workspace(transport, keep=False, leftovers=leftovers_folder(), listener=listener)
            return stack.enter_context(opened).folder

        return build_on_device(transport, device, backend, tools, work, folder, listener=listener)
