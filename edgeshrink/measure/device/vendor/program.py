"""The vendor's program itself: a file of this machine that is brought to the device, or one that lies there."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.events import Listener
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.devices.workspace import Workspace
from edgeshrink.errors import DataError, DeviceError, UsageError
from edgeshrink.measure.files import sha256_of
from edgeshrink.toolchain.elf import ElfHeaders, read_elf
from edgeshrink.toolchain.runner.build import BuiltRunner
from edgeshrink.toolchain.runner.platform import RunnerPlatform, System

ON_DEVICE = "device:"
_HASHING_S = 300.0
_SUM = """
[ -f "$1" ] && [ -x "$1" ] || exit 3
for tool in sha256sum 'toybox sha256sum' 'busybox sha256sum' 'shasum -a 256'; do
  $tool <"$1" 2>/dev/null && exit 0
done
exit 4
"""
_NOT_THERE = 3
_ANDROID_LOADER = "/system/bin/linker"
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,90}")


@dataclass(frozen=True, slots=True)
class VendorProgram:
    """`path` is this machine's, or with `on_device` the device's. `sha256`: "" until it was `identified`."""

    path: str
    on_device: bool
    sha256: str = ""

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def place(self) -> str:
        return f"{ON_DEVICE}{self.path}" if self.on_device else self.path


def named_program(text: str) -> VendorProgram:
    """What `--vendor-runner` means. UsageError where no such file is here, or the device's path is no whole one."""
    if text.startswith(ON_DEVICE):
        path = text.removeprefix(ON_DEVICE)
        if not path.startswith("/") or not path.isprintable():
            raise UsageError(
                f"--vendor-runner {text}: no path on a device", hint="as device:/data/local/tmp/llama_main"
            )
        return VendorProgram(path, on_device=True)
    if not Path(text).is_file():
        raise UsageError(
            f"--vendor-runner {text}: there is no such file", hint="one that lies on the device is named device:/PATH"
        )
    return VendorProgram(str(Path(text).resolve()), on_device=False)


def identified(program: VendorProgram, transport: Transport) -> VendorProgram:
    """The same with its sha256, taken where it lies. DeviceError where the device has no such program, or no sums."""
    if not program.on_device:
        return replace(program, sha256=sha256_of(Path(program.path)))
    done = transport.run(("sh", "-c", _SUM, "sh", program.path), timeout_s=_HASHING_S)
    if done.status == _NOT_THERE:
        raise DeviceError(
            f"{transport.address}: there is no program {program.path}", hint="push it there and chmod 755 it"
        )
    found = re.match(r"[0-9a-f]{64}\b", done.stdout)
    if done.status != 0 or found is None:
        raise DeviceError(
            f"{transport.address}: there is no program for sha256 on the device", hint="install coreutils or busybox"
        )
    return replace(program, sha256=found[0])


def check_program(program: VendorProgram, device: ProbedDevice) -> None:
    """DeviceError where its headers say that it cannot start there, before anything is brought. Scripts have none."""
    headers = _headers(program)
    if headers is None:
        return
    if headers.machine != device.machine and {headers.machine, device.machine} != {"aarch64", "arm64"}:
        raise DeviceError(
            f"{program.name} is built for {headers.machine}, and {device.address} is {device.machine}",
            hint="take the runner's build for that machine",
        )
    loader = headers.interpreter
    is_androids = loader.startswith(_ANDROID_LOADER)
    if device.system == "android" and loader and not is_androids:
        raise DeviceError(
            f"{program.name} needs {loader}: Android has no glibc and not its loader",
            hint="build it with the NDK, or linked statically",
        )
    if device.system == "linux" and is_androids:
        raise DeviceError(f"{program.name} is built for Android, and {device.address} runs Linux")


def put_program(workspace: Workspace, program: VendorProgram, listener: Listener) -> str:
    """Its path there. NoSpace, DeviceLost, DeviceError."""
    if program.on_device:
        return program.path
    name = program.name if _SAFE_NAME.fullmatch(program.name) else "vendor-runner"
    return workspace.put(Path(program.path), sha256=program.sha256, name=name, executable=True, listener=listener)


def as_built(program: VendorProgram, device: ProbedDevice) -> BuiltRunner:
    """The program as `faults.explain` takes one."""
    headers = _headers(program)
    system: System = device.system
    if headers is not None and headers.interpreter:
        system = "android" if headers.interpreter.startswith(_ANDROID_LOADER) else "linux"
    machine = headers.machine if headers is not None else device.machine
    return BuiltRunner(Path(program.path), "", "", RunnerPlatform(system, machine, "", ()))


def is_script(program: VendorProgram) -> bool:
    """Whether a process of it may be another program's shell."""
    return not program.on_device and _headers(program) is None


def _headers(program: VendorProgram) -> ElfHeaders | None:
    if program.on_device:
        return None
    try:
        return read_elf(Path(program.path))
    except DataError:
        return None
