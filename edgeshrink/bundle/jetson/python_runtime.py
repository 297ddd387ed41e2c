"""The Python runtime in the package: the loader, the pinned wheels, and a Python of its own where one is given."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.bundle.archives.entries import copy_hashed
from edgeshrink.bundle.archives.reading import unpack_zip
from edgeshrink.bundle.cargo import FILE_MODE, PROGRAM_MODE, write_file
from edgeshrink.bundle.jetson.program import MACHINE
from edgeshrink.bundle.jetson.wheels import from_registry, gather, in_folder, pythons_of
from edgeshrink.bundle.laptop.loader import loader_files
from edgeshrink.catalog.requirements import pinned
from edgeshrink.core.bundle import BundleManifest, BundleOptions
from edgeshrink.core.events import Listener, notice
from edgeshrink.errors import DataError, UsageError
from edgeshrink.toolchain.elf import read_elf

DEVICE_PYTHON = "3.12"
"""Ubuntu 24.04's, JetPack 7's: taken where neither a Python nor wheels say otherwise."""
_RUNTIMES = {"onnx": ("onnxruntime", "onnxruntime-genai"), "executorch": ("executorch", "torch")}
_OLD = "JetPack 5 and 6 have Python 3.8 and 3.10, which the pinned runtimes have no wheels for"
_GIVE = "give the bundle a Python of its own: --python FOLDER, a relocatable one for arm64 Linux with bin/python3"
_LIBRARY = re.compile(r"python3\.(\d{1,2})")
_LEFT_OUT = frozenset(
    {"__pycache__", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "site-packages"}
)
_PYTHON_FILES, _PYTHON_BYTES = 20_000, 1 << 30


@dataclass(frozen=True, slots=True)
class OwnPython:
    """A relocatable Python: its folder, its version ("3.12"), and its files as they are laid down, by name."""

    version: str
    files: tuple[tuple[str, Path], ...]


def check_python_runtime(manifest: BundleManifest, options: BundleOptions) -> str:
    """The version of the Python that the package will run in. UsageError says what does not fit."""
    if manifest.engine.runtime == "executorch" and options.wheels is None:
        raise UsageError(
            "the registry's torch for arm64 Linux brings CUDA's libraries, gigabytes of them",
            hint="name a folder with the wheels of executorch, of torch for the CPU "
            "(https://download.pytorch.org/whl/cpu) and of what they need: --wheels FOLDER",
        )
    if options.python is not None:
        return own_python(options.python).version
    if options.wheels is not None:
        there = pythons_of(options.wheels, manifest.engine.package)
        if there and DEVICE_PYTHON not in there:
            return there[-1]
    return DEVICE_PYTHON


def lay_python_runtime(
    folder: Path, manifest: BundleManifest, options: BundleOptions, listener: Listener
) -> tuple[str, ...]:
    """Fill `folder`/lib/python and, where one is given, `folder`/python; sentences the person should read."""
    version = check_python_runtime(manifest, options)
    library = folder / "lib" / "python"
    _lay_wheels(library, manifest, options, version, listener)
    for name, content in loader_files().items():
        write_file(library / "edgeshrink_bundle" / name, content)
    if options.python is None:
        listener(notice(f"the device needs a Python {version} of its own: {_OLD}; or {_GIVE}"))
        return (f"Runs in a Python {version} that the device has. {_OLD}: {_GIVE}.",)
    own = own_python(options.python)
    for name, source in own.files:
        copy_hashed(source, folder / "python" / name, listener)
        (folder / "python" / name).chmod(PROGRAM_MODE if name.startswith("bin/") else FILE_MODE)
    return ()


def own_python(folder: Path) -> OwnPython:
    """What of `folder` goes along: the program, its library, the standard library; links become files."""
    program = folder / "bin" / "python3"
    if not program.is_file():
        raise UsageError(f"{folder} holds no bin/python3", hint=_GIVE)
    try:
        headers = read_elf(program.resolve())
    except DataError as error:
        raise UsageError(error.message, hint=_GIVE) from error
    if headers.machine != MACHINE:
        raise UsageError(f"{program} is a program for {headers.machine}; a Jetson runs {MACHINE}", hint=_GIVE)
    found = sorted(path for path in (folder / "lib").glob("python3.*") if (path / "os.py").is_file())
    match = _LIBRARY.fullmatch(found[0].name) if len(found) == 1 else None
    if match is None:
        raise UsageError(f"{folder}/lib holds not one standard library of Python 3", hint=_GIVE)
    files = [("bin/python3", program)]
    files += [(f"lib/{path.name}", path) for path in (folder / "lib").glob("libpython3*.so*") if path.is_file()]
    files += [(f"lib/{found[0].name}/{name}", path) for name, path in _library(found[0], folder.resolve())]
    if len(files) > _PYTHON_FILES or sum(path.stat().st_size for _, path in files) > _PYTHON_BYTES:
        raise UsageError(f"{folder} is larger than any Python: {len(files)} files", hint=_GIVE)
    return OwnPython(f"3.{match[1]}", tuple(sorted(files)))


def _library(library: Path, whole: Path) -> Iterator[tuple[str, Path]]:
    for parent, folders, names in os.walk(library):
        folders[:] = sorted(set(folders) - _LEFT_OUT)
        for name in sorted(names):
            path = Path(parent, name)
            if not path.resolve().is_relative_to(whole):
                raise UsageError(f"{path} leads out of the folder: it is no relocatable Python", hint=_GIVE)
            if path.is_file():
                yield path.relative_to(library).as_posix(), path


def _lay_wheels(
    library: Path, manifest: BundleManifest, options: BundleOptions, version: str, listener: Listener
) -> None:
    engine = manifest.engine
    others = pinned(name for name in _RUNTIMES[engine.runtime] if name != engine.package)
    pins = (f"{engine.package}=={engine.version}", *others)
    library.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="edgeshrink-") as scratch:
        find = in_folder(options.wheels, version) if options.wheels else from_registry(Path(scratch), version)
        wheels = gather(pins, version, find, listener)
        lines = []
        for wheel in wheels:
            with wheel.open("rb") as stream:
                lines.append(f"{hashlib.file_digest(stream, 'sha256').hexdigest()}  {wheel.name}\n")
            unpack_zip(wheel, library)
    # By these the folder that --wheels names can be gathered again.
    write_file(library / "WHEELS", "".join(lines))
