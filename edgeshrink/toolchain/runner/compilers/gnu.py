"""The GNU compilers: Debian's cross-compiler for 64-bit ARM, the system's own for x86-64. Files are static (glibc)."""

from __future__ import annotations

import platform as host
import sys
from pathlib import Path

from edgeshrink.toolchain.interface import first_that_answers
from edgeshrink.toolchain.runner.compilers.interface import Compiler, arch_definitions
from edgeshrink.toolchain.runner.platform import RunnerPlatform

NAME = "gnu"
FIX = "Debian, Ubuntu: sudo apt install g++-aarch64-linux-gnu (for x86-64 devices: g++-x86-64-linux-gnu)"
# One segment must not share a page with another: 64 KiB is the largest page of ARM kernels, phones have 16 KiB.
_LINK = "-static -s -Wl,-z,max-page-size=65536"


def find(platform: RunnerPlatform) -> Compiler | str:
    """`aarch64-linux-gnu-g++` (or `x86_64-linux-gnu-g++`, `g++`) that links statically; Linux and Android alike."""
    if platform.system == "darwin":
        return "it makes no files for macOS"
    own = sys.platform == "linux" and host.machine() == platform.machine
    prefix = f"{platform.machine}-linux-gnu-"
    for cxx, cc in ((f"{prefix}g++", f"{prefix}gcc"), *((("g++", "gcc"),) if own else ())):
        found, c = first_that_answers((cxx,)), first_that_answers((cc,))
        if found and c:
            break
    else:
        return f"no {prefix}g++ on the PATH"

    def definitions(_: Path) -> tuple[str, ...]:
        return (
            "-DCMAKE_SYSTEM_NAME=Linux",
            f"-DCMAKE_SYSTEM_PROCESSOR={platform.machine}",
            f"-DCMAKE_C_COMPILER={c.path}",
            f"-DCMAKE_CXX_COMPILER={found.path}",
            f"-DCMAKE_EXE_LINKER_FLAGS={_LINK}",
            *arch_definitions(platform),
        )

    return Compiler(NAME, found.version, "linux", definitions, program=found.path.name)
