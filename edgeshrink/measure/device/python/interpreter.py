"""A Python on the device that can run a runtime: one that is ready, one made ready, or one brought along by uv."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version
from pydantic import TypeAdapter, ValidationError

from edgeshrink.catalog.requirements import pinned
from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.plain import plain
from edgeshrink.devices.transports.interface import Done
from edgeshrink.devices.transports.shell import last_words
from edgeshrink.devices.workspace import Workspace
from edgeshrink.errors import DeviceError
from edgeshrink.measure.device.python.uv import find_uv

SUPPORTED = ((3, 11), (3, 13))
"""First and last Python that the pinned runtimes have wheels for."""
BROUGHT = "3.11"
NAMES = ("python3.13", "python3.12", "python3.11", "python3")
MEASURING = ("numpy", "packaging", "platformdirs", "psutil", "pydantic")
"""What our own session imports, whatever the runtime."""
RUNTIMES = {"onnx": ("onnxruntime", "onnxruntime-genai"), "executorch": ("torch", "executorch", "torchao")}
_INSTALL_S = 1800.0
_ANSWER_BYTES = 64 << 10

_ASK = """
import json, sys
from importlib import metadata
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        found[name] = ""
print(json.dumps({"version": list(sys.version_info[:2]), "found": found}))
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

    @property
    def number(self) -> str:
        return f"{self.version[0]}.{self.version[1]}"


@dataclass(frozen=True, slots=True)
class _Answer:
    version: tuple[int, int]
    found: dict[str, str]


def needed(runtime: str) -> tuple[str, ...]:
    """The requirements of a session with `runtime`, as this package pins them."""
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
    if given is not None:
        return _given(ask(workspace, given, wanted), device, given)
    answers = [ask(workspace, name, wanted) for name in NAMES]
    seen = [answer for answer in answers if isinstance(answer, Interpreter)]
    ready = next((found for found in seen if found.is_supported and not found.missing), None)
    if ready is not None:
        return ready.path
    supported = next((found for found in seen if found.is_supported), None)
    there = ", ".join(dict.fromkeys(found.number for found in seen)) or "none"
    if not confirm(_question(supported, wanted, device, runtime, there)):
        raise DeviceError(
            f"{device.address}: no Python there runs {runtime} as pinned (found: {there})",
            hint="answer with --yes to install it for the session, or name a ready one with --device-python",
        )
    return _installed(workspace, supported, wanted, device)


def ask(workspace: Workspace, name: str, wanted: Sequence[str]) -> Interpreter | str:
    """What the Python `name` has of `wanted`; a text where it does not run or answers nonsense: why."""
    requirements = [Requirement(text) for text in wanted]
    asking = (name, "-c", _ASK, *(entry.name for entry in requirements))
    done = workspace.run(asking, timeout_s=60, limit_bytes=_ANSWER_BYTES)
    if done.status != 0:
        return f"does not run: {last_words(done.stderr)}"
    try:
        answer = TypeAdapter(_Answer).validate_json(done.stdout)
    except ValidationError:
        return "does not answer as a Python does"
    missing = tuple(str(entry) for entry in requirements if not _fits(entry, answer.found.get(entry.name, "")))
    return Interpreter(name, answer.version, missing)


def _given(answer: Interpreter | str, device: ProbedDevice, given: str) -> str:
    if isinstance(answer, str):
        raise DeviceError(f"{device.address}: {given} {answer}", hint="name the absolute path of a Python there")
    if not answer.is_supported:
        first, last = (f"{major}.{minor}" for major, minor in SUPPORTED)
        raise DeviceError(
            f"{device.address}: {given} is Python {answer.number}, and the pinned packages need {first} to {last}",
            hint="name another one, or leave --device-python away: one is brought along after a question",
        )
    if answer.missing:
        raise DeviceError(
            f"{device.address}: {given} lacks {', '.join(answer.missing)}",
            hint=f"on the device: {shlex.join((given, '-m', 'pip', 'install', *answer.missing))}",
        )
    return answer.path


def _fits(requirement: Requirement, version: str) -> bool:
    try:
        return bool(version) and requirement.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def _question(
    supported: Interpreter | None, wanted: Sequence[str], device: ProbedDevice, runtime: str, there: str
) -> str:
    if supported is not None:
        asked = f"install {' '.join(wanted)} on {device.address}, for this session"
    else:
        first, last = (f"{major}.{minor}" for major, minor in SUPPORTED)
        asked = (
            f"{device.address} has Python {there}, and the pinned {runtime} packages need {first} to {last}: "
            f"bring Python {BROUGHT} and them along by uv, for this session"
        )
    return f"{asked}? (a download on the device)"


def _installed(workspace: Workspace, python: Interpreter | None, wanted: Sequence[str], device: ProbedDevice) -> str:
    """By pip where the device's Python brings it (Debian's does not), else by uv; nothing outside the workspace."""
    venv = f"{workspace.folder}/python"
    inside = f"{venv}/bin/python"
    if python is not None and workspace.run((python.path, "-m", "venv", venv), timeout_s=300).status == 0:
        pip = (inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir")
        _must(workspace.run((*pip, *wanted), timeout_s=_INSTALL_S), device, "install the runtime")
        return inside
    uv = (
        "env",
        f"UV_PYTHON_INSTALL_DIR={workspace.folder}/pythons",
        "UV_PYTHON_INSTALL_BIN=0",
        f"UV_CACHE_DIR={workspace.folder}/uv-cache",
        find_uv(workspace, device),
    )
    which = python.path if python is not None else BROUGHT
    making = (*uv, "venv", "--clear", "--python", which, venv)
    _must(workspace.run(making, timeout_s=_INSTALL_S), device, f"make an environment with Python {which}")
    install = (*uv, "pip", "install", "--quiet", "--python", inside, *wanted)
    _must(workspace.run(install, timeout_s=_INSTALL_S), device, "install the runtime")
    return inside


def _must(done: Done, device: ProbedDevice, what: str) -> None:
    if done.status != 0:
        said = " / ".join(plain(line.strip()) for line in done.stderr.strip().splitlines()[-3:])
        raise DeviceError(
            f"{device.address}: could not {what}: {said[-600:] or f'exit status {done.status}'}",
            hint="does the device reach the package registry? A ready Python can be named with --device-python",
        )
