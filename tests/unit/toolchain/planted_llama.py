"""A llama.cpp of three files, a runner of one and a device that answers: small enough to be built in a second."""

from __future__ import annotations

import platform as host
from pathlib import Path

import pytest

from edgeshrink.core.device import ProbedDevice
from edgeshrink.toolchain.interface import first_that_answers
from edgeshrink.toolchain.runner.platform import platform

OWN_LEVEL = {"x86_64": "x86-64", "aarch64": "arm64"}.get(host.machine(), "")
"""The lowest level of this machine, which its own compiler can make a static file for."""
builds_here = pytest.mark.skipif(
    not OWN_LEVEL or not all(first_that_answers((name,)) for name in ("g++", "gcc", "cmake", "ninja")),
    reason="needs g++, cmake and ninja",
)
own_platform = lambda: platform(OWN_LEVEL)  # noqa: E731

_LLAMA = """
cmake_minimum_required(VERSION 3.16)
project(llama C CXX)
add_subdirectory(ggml)
add_subdirectory(src)
"""
_SRC = """
add_custom_command(OUTPUT last.cpp DEPENDS ggml
  COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/gate.sh ${CMAKE_CURRENT_BINARY_DIR}/last.cpp)
add_library(llama STATIC first.cpp ${CMAKE_CURRENT_BINARY_DIR}/last.cpp)
target_include_directories(llama PUBLIC ../include)
target_link_libraries(llama PUBLIC ggml)
"""
_RUNNER = """
cmake_minimum_required(VERSION 3.16)
project(runner C CXX)
add_subdirectory(${LLAMA_CPP} llama.cpp EXCLUDE_FROM_ALL)
add_executable(edgeshrink-runner runner.cpp)
target_compile_definitions(edgeshrink-runner PRIVATE "EDGESHRINK_BUILD=\\"${EDGESHRINK_BUILD}\\"")
target_link_libraries(edgeshrink-runner PRIVATE llama)
"""
_MAIN = """
#include "llama.h"
#include <cstdio>
int main() { std::printf("%s %d\\n", EDGESHRINK_BUILD, first() + last() + base()); }
"""


def plant_llama(folder: Path) -> Path:
    """Prints one line to `compiled` each time its gate opens; waits at the gate while a file `closed` is there."""
    for name, text in {
        "CMakeLists.txt": _LLAMA,
        "LICENSE": "free",
        "include/llama.h": "int first(); int last(); int base();",
        "ggml/CMakeLists.txt": "add_library(ggml STATIC src/base.cpp)",
        "ggml/src/base.cpp": "int base() { return 1; }",
        "src/CMakeLists.txt": _SRC,
        "src/first.cpp": "int first() { return 2; }",
        "src/gate.sh": f'cd "{folder}"; : > waiting; while [ -e closed ]; do sleep 0.05; done\n'
        'echo once >> compiled; echo "int last() { return 4; }" > "$1"\n',
        "cmake/nothing.cmake": "",
        "vendor/CMakeLists.txt": "",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def plant_runner(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "CMakeLists.txt").write_text(_RUNNER, encoding="utf-8")
    (folder / "runner.cpp").write_text(_MAIN, encoding="utf-8")
    return folder


def a_device(**changed: object) -> ProbedDevice:
    """A Jetson behind ssh, unless changed."""
    fields: dict[str, object] = {
        "address": "ssh:me@jetson", "id": "0123456789abcdef", "system": "linux", "os": "Ubuntu 22.04", "kernel": "5.15",
        "machine": "aarch64", "libc": "glibc 2.35", "names": ("NVIDIA Jetson Orin Nano Developer Kit",),
        "cpu": "Cortex-A78AE", "clusters": (), "cores": 6, "cpu_features": ("asimd", "asimdhp", "asimddp"),
        "ram_bytes": 8 << 30, "available_bytes": 6 << 30, "page_bytes": 4096,
    }  # fmt: skip
    return ProbedDevice(**{**fields, **changed})  # type: ignore[arg-type]
