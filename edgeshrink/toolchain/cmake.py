"""CMake. Building llama-cpp-python brings its own where none is installed."""

from __future__ import annotations

from edgeshrink.toolchain.interface import FoundTool, first_that_answers

NAME = "CMake"


def find() -> FoundTool | None:
    """`cmake` on the PATH."""
    return first_that_answers(("cmake",))
