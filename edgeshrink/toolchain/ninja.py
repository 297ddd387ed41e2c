"""Ninja: runs the compilers that CMake asks for, and goes on where it was killed."""

from __future__ import annotations

from edgeshrink.toolchain.interface import FoundTool, beside_python, first_that_answers

NAME = "Ninja"


def find() -> FoundTool | None:
    """`ninja` on the PATH, else the one that the PyPI package installed beside this Python."""
    return first_that_answers(("ninja", beside_python("ninja"), "ninja-build"))
