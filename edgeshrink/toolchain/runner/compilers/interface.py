"""What every compiler offers: to be found for a platform, or to say why it cannot; and how CMake is told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgeshrink.toolchain.runner.platform import RunnerPlatform


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler for one platform. `target` names what its files run on ("linux-static", "android28"): two platforms
    of one target share what was built.

    `definitions(folder)` are CMake's -D arguments; a wrapper or toolchain file that they need is written to `folder`.
    `interpreter`: the loader that a finished file may ask for, "" for none. `inputs`: what else its files depend on.
    `program`: what is started, where its name says more than `name`.
    """

    name: str
    version: str
    target: str
    definitions: Callable[[Path], tuple[str, ...]]
    interpreter: str = ""
    inputs: tuple[str, ...] = ()
    program: str = ""

    @property
    def id(self) -> str:
        return f"{self.name} {self.version}".rstrip()

    @property
    def shown(self) -> str:
        """For a person: `aarch64-linux-gnu-g++ 12.2.0`."""
        return f"{self.program or self.name} {self.version}".rstrip()


class CompilerModule(Protocol):
    """One of the files beside this one."""

    NAME: str
    FIX: str

    def find(self, platform: RunnerPlatform) -> Compiler | str:
        """The compiler, or the reason why this one cannot build for `platform` here."""
        ...


def arch_definitions(platform: RunnerPlatform) -> tuple[str, ...]:
    """What tells ggml which instructions its kernels may use; all else stays at the architecture's baseline, so that
    the runner can say what is missing before it dies of it."""
    if platform.machine == "aarch64":
        return (f"-DGGML_CPU_ARM_ARCH={platform.isa}",)
    level = int(platform.isa.rpartition("-v")[2]) if "-v" in platform.isa else 1
    wanted = {"SSE42": 2, "AVX": 3, "AVX2": 3, "FMA": 3, "F16C": 3, "BMI2": 3, "AVX512": 4}
    return tuple(f"-DGGML_{name}={'ON' if level >= least else 'OFF'}" for name, least in wanted.items())
