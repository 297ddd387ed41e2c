"""Our own source of the runner, as it ships with the package, and what a build of it is known by."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.errors import DataError
from edgeshrink.toolchain.runner.installed import llama_version
from edgeshrink.toolchain.runner.sources import VARIABLE

SHIPPED = Path(__file__).resolve().parents[2] / "_runner"
MAIN = "runner.cpp"
_SUFFIXES = (".cpp", ".h", ".txt")
_COMPILED = ("cmake", "ggml", "include", "src")


@dataclass(frozen=True, slots=True)
class RunnerSource:
    """runner.cpp, which has `main`, what else belongs to it, and their CMakeLists.txt. `digest` is over their names and
    contents."""

    files: tuple[Path, ...]
    digest: str

    @property
    def compiled(self) -> tuple[Path, ...]:
        """What a compiler is given, runner.cpp last."""
        sources = (file for file in self.files if file.suffix == ".cpp")
        return tuple(sorted(sources, key=lambda file: (file.name == MAIN, file.name)))


def runner_source(folder: Path = SHIPPED) -> RunnerSource:
    """DataError where the package is damaged."""
    files = tuple(sorted(path for path in folder.glob("*") if path.suffix in _SUFFIXES))
    if not {MAIN, "CMakeLists.txt"} <= {path.name for path in files}:
        raise DataError(f"{folder} lacks {MAIN} or CMakeLists.txt", hint="reinstall edgeshrink")
    return RunnerSource(files, digest_of([(path.name, path.read_bytes()) for path in files]))


def llama_identity() -> str:
    """The version of llama.cpp that a runner is built from: "0.3.36"; of a folder that EDGESHRINK_LLAMA_CPP names, the
    digest of what compiles in it as well, for it may be edited."""
    given = os.environ.get(VARIABLE)
    if not given:
        return llama_version()
    root = Path(given).expanduser()
    paths = sorted(path for name in _COMPILED for path in (root / name).rglob("*") if path.is_file())
    parts = [(path.relative_to(root).as_posix(), path.read_bytes()) for path in (root / "CMakeLists.txt", *paths)]
    return f"{llama_version()}-{digest_of(parts)[:8]}"


def digest_of(parts: list[tuple[str, bytes]]) -> str:
    """sha256 over named contents, in the given order."""
    digest = hashlib.sha256()
    for name, content in parts:
        digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()
