"""A Python on the device that can run a runtime: one that is ready, one made ready, or one brought along by uv."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from edgeshrink.catalog.requirements import pinned
from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.plain import plain
from edgeshrink.devices.transports.interface import Done
from edgeshrink.devices.workspace import Workspace
from edgeshrink.errors import DeviceError, ToolMissing
from edgeshrink.measure.files import sha256_of

SUPPORTED = ((3, 11), (3, 13))
"""First and last Python that the pinned runtimes have wheels for."""
NAMES = ("python3.13", "python3.12", "python3.11", "python3")
MEASURING = ("numpy", "packaging", "platformdirs", "psutil", "pydantic")
"""What our own session imports, whatever the runtime."""
RUNTIMES = {"onnx": ("onnxruntime", "onnxruntime-genai"), "executorch": ("torch", "executorch", "torchao")}
_UV_PLATFORMS = {"aarch64": "manylinux2014_aarch64", "x86_64": "manylinux2014_x86_64"}
_INSTALL_S = 1800.0

_ASK = """
import json, sys
from importlib import metadata
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        found[name] = ""
print(json.dumps({"version": sys.version_info[:2], "found": found}))
"""

Confirm = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python on the device; `missing`: pinned requirements that it lacks, or has in another version."""

    path: str
    version: tuple[int, int]
    missing: tuple[str, ...]

    @property
    def is_supported(self) -> bool:
        return SUPPORTED[0] <= self.version <= SUPPORTED[1]


def needed(runtime: str) -> tuple[str, ...]:
    """Pinned requirements of a session with `runtime`, as pyproject has them."""
    return pinned((*MEASURING, *RUNTIMES[runtime]))


def ready_interpreter(
    workspace: Workspace, device: ProbedDevice, runtime: str, *, given: str | None, confirm: Confirm
) -> str:
    """The path of a Python on the device with everything that `runtime` needs.

    `given` is the only one looked at where a person named it. Without a ready one, the packages are installed into
    the workspace, and a Python of our own by uv where the device's is too old, if `confirm` agrees: both download to
    the device. DeviceError says what is missing and how to get there.
    """
    wanted = needed(runtime)
    seen = [found for name in ((given,) if given else NAMES) if (found := ask(workspace, name, wanted))]
    for found in seen:
        if found.is_supported and not found.missing:
            return found.path
    if given:
        lacks = f"lacks {', '.join(seen[0].missing)}" if seen else "does not run"
        raise DeviceError(f"{device.address}: {given} {lacks}", hint=f"{given} -m pip install {' '.join(wanted)}")
    supported = next((found for found in seen if found.is_supported), None)
    there = ", ".join(f"{found.version[0]}.{found.version[1]}" for found in seen) or "none"
    if device.system == "android":
        raise DeviceError(
            f"{device.address}: the {runtime} runtime's Python has no wheels for Android",
            hint="build --format gguf, or point at a runner of the runtime's own with --vendor-runner",
        )
    question = (
        f"install {' '.join(wanted)} on {device.address}, for this session"
        if supported
        else f"{device.address} has Python {there}, and the pinned {runtime} packages need 3.11 to 3.13: "
        "bring Python 3.11 and them along by uv, for this session"
    )
    if not confirm(f"{question}? (a download on the device)"):
        raise DeviceError(
            f"{device.address}: no Python there runs {runtime} as pinned (found: {there})",
            hint="answer with --yes to install it for the session, or name a ready one with --device-python",
        )
    return _installed(workspace, supported, wanted, device)


def ask(workspace: Workspace, name: str, wanted: Sequence[str]) -> Interpreter | None:
    """What the Python `name` has of `wanted`; None where it does not run or answers nonsense."""
    requirements = [Requirement(text) for text in wanted]
    done = workspace.run((name, "-c", _ASK, *(entry.name for entry in requirements)), timeout_s=60)
    if done.status != 0:
        return None
    try:
        answer = json.loads(done.stdout)
        major, minor = (int(part) for part in answer["version"])
        found = {str(key): str(value) for key, value in answer["found"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    missing = tuple(str(entry) for entry in requirements if not _fits(entry, found.get(entry.name, "")))
    return Interpreter(name, (major, minor), missing)


def _fits(requirement: Requirement, version: str) -> bool:
    try:
        return bool(version) and requirement.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def _installed(workspace: Workspace, python: Interpreter | None, wanted: Sequence[str], device: ProbedDevice) -> str:
    venv = f"{workspace.folder}/python"
    if python is not None:
        _must(workspace.run((python.path, "-m", "venv", venv), timeout_s=300), device, "make a virtual environment")
        install = (f"{venv}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted)
    else:
        uv = _uv(workspace, device)
        data = ("env", f"UV_PYTHON_INSTALL_DIR={workspace.folder}/pythons", f"UV_CACHE_DIR={workspace.folder}/uv-cache")
        making = (*data, uv, "venv", "--python", "3.11", venv)
        _must(workspace.run(making, timeout_s=_INSTALL_S), device, "bring Python 3.11")
        install = (*data, uv, "pip", "install", "--quiet", "--python", f"{venv}/bin/python", *wanted)
    _must(workspace.run(install, timeout_s=_INSTALL_S), device, "install the runtime")
    return f"{venv}/bin/python"


def _must(done: Done, device: ProbedDevice, what: str) -> None:
    if done.status != 0:
        said = " / ".join(plain(line) for line in done.stderr.strip().splitlines()[-3:])
        raise DeviceError(
            f"{device.address}: could not {what}: {said or f'exit status {done.status}'}",
            hint="does the device reach the package registry? A ready Python can be named with --device-python",
        )


def _uv(workspace: Workspace, device: ProbedDevice) -> str:
    """uv on the device: its own, else the one of the registry's wheel for that kind of machine."""
    if workspace.run(("uv", "--version"), timeout_s=30).status == 0:
        return "uv"
    platform = _UV_PLATFORMS.get(device.machine)
    if device.system != "linux" or platform is None:
        raise ToolMissing(
            f"{device.address} has no uv, and none can be brought to {device.system} {device.machine}",
            hint="install Python 3.11 or uv there",
        )
    with tempfile.TemporaryDirectory(prefix="edgeshrink-") as scratch:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run(
            [*download, "--platform", platform, "--dest", scratch, "uv"], capture_output=True, text=True, check=False
        )
        wheels = list(Path(scratch).glob("uv-*.whl"))
        if done.returncode != 0 or not wheels:
            raise ToolMissing("uv could not be fetched for the device", hint="install uv or Python 3.11 there")
        with zipfile.ZipFile(wheels[0]) as wheel:
            member = next(name for name in wheel.namelist() if name.endswith(".data/scripts/uv"))
            binary = Path(scratch) / "uv"
            binary.write_bytes(wheel.read(member))
        return workspace.put(binary, sha256=sha256_of(binary), name="uv", executable=True)
