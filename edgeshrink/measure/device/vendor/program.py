"""The vendor's program itself: a file of this machine that is brought to the device, or one that lies there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.events import Listener
from edgeshrink.devices.workspace import Workspace
from edgeshrink.errors import DataError, DeviceError, UsageError
from edgeshrink.measure.files import sha256_of
from edgeshrink.toolchain.elf import ElfHeaders, read_elf
from edgeshrink.toolchain.runner.build import BuiltRunner
from edgeshrink.toolchain.runner.platform import RunnerPlatform, System

ON_DEVICE = "device:"
_ANDROID_LOADER = "/system/bin/linker"
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,90}")


@dataclass(frozen=True, slots=True)
class VendorProgram:
    """`path` is this machine's, or with `on_device` the device's."""

    path: str
    on_device: bool

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def place(self) -> str:
        return f"{ON_DEVICE}{self.path}" if self.on_device else self.path

    @property
    def digest(self) -> str:
        """What it is known by: its sha256; of one on the device, its path."""
        return self.place if self.on_device else sha256_of(Path(self.path))


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
    """Its path there. DeviceError where none is; NoSpace, DeviceLost."""
    if not program.on_device:
        name = program.name if _SAFE_NAME.fullmatch(program.name) else "vendor-runner"
        path = Path(program.path)
        return workspace.put(path, sha256=sha256_of(path), name=name, executable=True, listener=listener)
    if workspace.run(("test", "-x", program.path)).status != 0:
        raise DeviceError(f"there is no program {program.path} on the device", hint="push it there and chmod 755 it")
    return program.path


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
