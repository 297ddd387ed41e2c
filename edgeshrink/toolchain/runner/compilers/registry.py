"""Which compilers are asked for which system, the preferred one first."""

from __future__ import annotations

from edgeshrink.errors import ToolMissing
from edgeshrink.toolchain.runner.compilers import gnu, native, ndk, zig
from edgeshrink.toolchain.runner.compilers.interface import Compiler, CompilerModule
from edgeshrink.toolchain.runner.platform import NATIVE, RunnerPlatform, System

CROSS: dict[System, tuple[CompilerModule, ...]] = {
    "android": (ndk, zig, gnu),
    "linux": (gnu, zig),
    "darwin": (zig,),
}


def asked(platform: RunnerPlatform) -> tuple[CompilerModule, ...]:
    """The compilers that may build for `platform`, in order."""
    return (native,) if platform.isa == NATIVE else CROSS[platform.system]


def found(platform: RunnerPlatform) -> tuple[Compiler, ...]:
    """Those that are here, in order; none where none is."""
    answers = (module.find(platform) for module in asked(platform))
    return tuple(answer for answer in answers if isinstance(answer, Compiler))


def none_here(platform: RunnerPlatform) -> ToolMissing:
    """The error that says of each compiler why it is not the one, and what would put it here."""
    modules = asked(platform)
    answers = [(module, module.find(platform)) for module in modules]
    why = "; ".join(f"{module.NAME}: {answer}" for module, answer in answers if isinstance(answer, str))
    fixes = "; or ".join(module.FIX for module in sorted(modules, key=lambda module: module is not zig))
    return ToolMissing(f"no compiler here makes a runner for {platform.key} ({why})", hint=fixes)
