"""This machine's own compiler, for this machine: our own files, linked against the llama.cpp that pip installed.

So the runner computes with the very libraries that the Python runtime uses, and is there in seconds.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from edgeshrink.errors import ToolMissing
from edgeshrink.toolchain import cxx
from edgeshrink.toolchain.runner.compilers.interface import Compiler
from edgeshrink.toolchain.runner.installed import llama_headers, llama_libraries
from edgeshrink.toolchain.runner.platform import NATIVE, RunnerPlatform

NAME = "native"
FIX = cxx.FIX
_LINKED = ("llama", "ggml", "ggml-cpu", "ggml-base")


def find(platform: RunnerPlatform) -> Compiler | str:
    """CXX or the usual names; what it links against is part of what the build is known by."""
    if platform.isa != NATIVE:
        return "it builds for this machine only"
    found = cxx.find()
    if found is None:
        return "no C++ compiler on the PATH"
    try:
        libraries, _ = llama_libraries(), llama_headers()
    except ToolMissing as error:
        return error.message
    digest = hashlib.sha256()
    for path in _libraries(libraries):
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    inputs = (str(found.path), str(libraries), digest.hexdigest())
    return Compiler(NAME, found.version, NATIVE, lambda _: (), inputs=inputs, program=found.path.name)


def command(sources: Sequence[Path], target: Path, macros: dict[str, str]) -> tuple[str, ...]:
    """The one command that compiles and links. ToolMissing where what it needs has gone.

    All but the last of `sources` are included in it: so the headers, which take most of the time, are read once.
    """
    found = cxx.find()
    if found is None:
        raise ToolMissing("no C++ compiler on the PATH", hint=FIX)
    folder = llama_libraries()
    linked = [path for path in _libraries(folder) if path.stem.removeprefix("lib") in _LINKED]
    return (
        *(str(found.path), "-O3", "-DNDEBUG", "-std=c++17", "-pthread"),
        *(f'-D{name}="{value}"' for name, value in macros.items()),
        *("-I", str(llama_headers()), *(word for path in sources[:-1] for word in ("-include", str(path)))),
        *(str(sources[-1]), "-o", str(target)),
        *(str(path) for path in linked),
        f"-Wl,-rpath,{folder}",
    )


def _libraries(folder: Path) -> list[Path]:
    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    names = sorted(folder.glob(f"lib*{suffix}"))
    return [path for path in names if path.stem.removeprefix("lib").startswith(("llama", "ggml"))]
