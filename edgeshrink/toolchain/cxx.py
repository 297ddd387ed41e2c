"""A C++ compiler: this machine's own runner is built with one, and llama-cpp-python where it comes as source."""

from __future__ import annotations

import os

from edgeshrink.toolchain.interface import FoundTool, first_that_answers

NAME = "C++ compiler"
FIX = "Debian, Ubuntu: sudo apt install g++; macOS: xcode-select --install; Windows: Visual Studio Build Tools"


def find() -> FoundTool | None:
    """CXX from the environment, then the usual names."""
    given = os.environ.get("CXX", "").split()
    return first_that_answers((*given[:1], "c++", "g++", "clang++", "cl"))
