"""The wheels that a Python runtime needs on the device, and the wheels that those need.

pip is asked for one package at a time: it would evaluate the markers of dependencies for this machine, not for the
device. Source: PEP 425 and 600 (tags), 508 (markers), 427 (wheels).
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections import deque
from collections.abc import Callable, Sequence
from email.parser import HeaderParser
from pathlib import Path

from packaging.markers import InvalidMarker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from edgeshrink.core.events import Listener, Progress
from edgeshrink.core.plain import plain
from edgeshrink.errors import DataError, ToolMissing, UsageError

Find = Callable[[Requirement], Path]
"""The wheel for a requirement; an edgeshrink error where there is none."""
_GLIBC = (28, 27, 26, 24, 17)
"""2.x that wheels are made for; JetPack 5 has 2.31."""
PLATFORMS = (*(f"manylinux_2_{minor}_aarch64" for minor in _GLIBC), "manylinux2014_aarch64", "linux_aarch64")
_NOT_FOR_RUNNING = {
    "executorch": frozenset(
        {
            "coremltools", "expecttest", "hydra-core", "hypothesis", "kgb", "omegaconf", "pandas", "parameterized",
            "py-cpuinfo", "requests", "scikit-learn",
        }
    ),
    "torch": frozenset({"setuptools"}),
}  # fmt: skip
"""What a package requires for lowering models and for its own tests alone."""
_METADATA_BYTES = 4 << 20
_MOST_WHEELS = 200
_DOWNLOAD_S = 1800.0


def gather(pins: Sequence[str], python: str, find: Find, listener: Listener) -> tuple[Path, ...]:
    """The wheels of `pins` and of all that they need on an arm64 Linux with CPython `python` ("3.12"), by name.

    What is pinned is settled first. DataError where two packages need different versions of a third.
    """
    settled: dict[str, Path] = {}
    waiting = deque((Requirement(text), "this package") for text in pins)
    while waiting:
        wanted, by = waiting.popleft()
        name = canonicalize_name(wanted.name)
        if name in settled:
            version = parse_wheel_filename(settled[name].name)[1]
            if not wanted.specifier.contains(version, prereleases=True):
                raise DataError(
                    f"{settled[name].name} does not suit {by}, which needs {wanted}",
                    hint="name a folder with wheels that fit together by --wheels",
                )
            continue
        if len(settled) >= _MOST_WHEELS:
            raise DataError(f"more than {_MOST_WHEELS} wheels are needed for {', '.join(pins)}")
        listener(Progress(f"wheels for the device: {name}", len(settled), len(settled) + len(waiting) + 1, "wheels"))
        settled[name] = find(wanted)
        left_out = _NOT_FOR_RUNNING.get(name, frozenset())
        waiting += [
            (needed, name)
            for needed in requirements_of(settled[name], python)
            if canonicalize_name(needed.name) not in left_out
        ]
    return tuple(settled[name] for name in sorted(settled))


def requirements_of(wheel: Path, python: str) -> tuple[Requirement, ...]:
    """What the wheel needs on the device. DataError where its metadata cannot be read."""
    environment = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": "aarch64",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
        "extra": "",
    }
    try:
        stated = [Requirement(line) for line in _stated(wheel)]
        return tuple(entry for entry in stated if entry.marker is None or entry.marker.evaluate(environment))
    except (InvalidRequirement, InvalidMarker, zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise DataError(f"the metadata of {wheel.name} cannot be read: {plain(str(error))}") from error


def in_folder(folder: Path, python: str) -> Find:
    """Take wheels from `folder`, the newest that fits."""
    tags = _tags(python)

    def find(wanted: Requirement) -> Path:
        fitting = []
        for path in folder.glob("*.whl"):
            try:
                name, version, _, its_tags = parse_wheel_filename(path.name)
            except InvalidWheelFilename as error:
                raise DataError(f"{folder}: {plain(str(error))}") from error
            fits = name == canonicalize_name(wanted.name) and wanted.specifier.contains(version, prereleases=True)
            if fits and not tags.isdisjoint(its_tags):
                fitting.append((version, path.name, path))
        if not fitting:
            raise UsageError(
                f"{folder} holds no wheel of {wanted} for Python {python} on arm64 Linux",
                hint=_by_hand(f"'{wanted.name}{wanted.specifier}'", python, folder),
            )
        return max(fitting)[2]

    return find


def from_registry(scratch: Path, python: str) -> Find:
    """Ask the registry that this machine's pip uses, and keep what comes in the new folder `scratch`."""

    def find(wanted: Requirement) -> Path:
        folder = scratch / canonicalize_name(wanted.name)
        name = f"{wanted.name}{wanted.specifier}"
        command = _pip(python, folder)
        try:
            done = subprocess.run([*command, name], capture_output=True, text=True, check=False, timeout=_DOWNLOAD_S)
            lines = [line.strip() for line in done.stderr.splitlines()]
            said = "; ".join([line for line in lines if line.startswith("ERROR")] or lines[-1:])
        except subprocess.TimeoutExpired:
            said = f"no end after {_DOWNLOAD_S:.0f} s"
        found = sorted(folder.glob("*.whl"))
        if len(found) != 1:
            raise ToolMissing(
                f"pip could not fetch {name} for Python {python} on arm64 Linux: {plain(said)[-400:] or 'no answer'}",
                hint=f"where there is a network: {_by_hand(repr(name), python, Path('wheels'))} (so for each package); "
                "then --wheels wheels",
            )
        return found[0]

    return find


def pythons_of(folder: Path, package: str) -> tuple[str, ...]:
    """The CPythons ("3.12") that `folder` has a wheel of `package` for, oldest first."""
    found = set()
    for path in folder.glob("*.whl"):
        try:
            name, _, _, tags = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        if name == canonicalize_name(package):
            found |= {(3, int(tag.interpreter[3:])) for tag in tags if tag.interpreter[:3] == "cp3"}
    return tuple(f"{major}.{minor}" for major, minor in sorted(found))


def _stated(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        start = "-".join(wheel.name.split("-")[:2])
        info = archive.getinfo(f"{start}.dist-info/METADATA")
        if info.file_size > _METADATA_BYTES:
            raise DataError(f"the metadata of {wheel.name} is larger than {_METADATA_BYTES} bytes")
        message = HeaderParser().parsestr(archive.read(info).decode())
    return [str(line) for line in message.get_all("Requires-Dist", [])]


def _tags(python: str) -> frozenset[Tag]:
    version = tuple(int(part) for part in python.split("."))
    interpreter = f"cp{python.replace('.', '')}"
    return frozenset(
        (*cpython_tags(version, platforms=PLATFORMS), *compatible_tags(version, interpreter, (*PLATFORMS, "any")))
    )


def _pip(python: str, folder: Path) -> tuple[str, ...]:
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input")
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    return (*pip, "--no-deps", "--only-binary=:all:", *platforms, "--python-version", python, "--dest", str(folder))


def _by_hand(name: str, python: str, folder: Path) -> str:
    return (
        f"pip download --no-deps --only-binary=:all: --platform {PLATFORMS[0]} --platform {PLATFORMS[-2]} "
        f"--python-version {python} --dest {folder} {name}"
    )
