"""CMake. Building llama-cpp-python brings its own where none is installed; building a runner needs it."""

from __future__ import annotations

from edgeshrink.toolchain.interface import FoundTool, beside_python, first_that_answers

NAME = "CMake"
FIX = "pip install 'edgeshrink[device]'; or Debian, Ubuntu: sudo apt install cmake ninja-build"


def find() -> FoundTool | None:
    """`cmake` on the PATH, else the one that the PyPI package installed beside this Python."""
    return first_that_answers(("cmake", beside_python("cmake")))
