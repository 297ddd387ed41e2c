"""Zig as a C++ compiler, from the PyPI package `ziglang`: one download that makes static files (musl) for 64-bit ARM
and x86-64 Linux, which Android's kernel runs as well, and CPU-only files for macOS.

CMake wants a program where Zig wants words (`zig cc`), so small scripts stand in between. ARM's instructions go to
ggml's kernels by a way of their own, for Zig knows -mcpu=generic+v8_2a+dotprod and refuses -march=armv8.2-a+dotprod.
"""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from edgeshrink.toolchain.runner.compilers.interface import Compiler, arch_definitions
from edgeshrink.toolchain.runner.platform import RunnerPlatform

NAME = "zig"
FIX = "pip install 'edgeshrink[device]' (ziglang: 410 MB installed)"
_TARGETS = {"linux": "linux-musl", "android": "linux-musl", "darwin": "macos"}
_TIMEOUT_S = 60
# Zig names a level of the architecture and its features one by one; fp16 is fullfp16 there.
_FEATURES = {"armv8-a": "", "armv8.2-a": "+v8_2a", "dotprod": "+dotprod", "fp16": "+fullfp16", "i8mm": "+i8mm"}


def find(platform: RunnerPlatform) -> Compiler | str:
    """`zig` on the PATH, else the package of this Python."""
    if sys.platform == "win32":
        return "its wrapper scripts need a POSIX shell; build under WSL"
    command = _command()
    if command is None:
        return "neither the package ziglang nor a zig on the PATH"
    try:
        done = subprocess.run([*command, "version"], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{' '.join(command)} does not answer: {error}"
    if done.returncode:
        return f"{' '.join(command)} version failed: {done.stderr.strip()[-200:]}"
    return Compiler(
        NAME,
        done.stdout.strip(),
        "macos" if platform.system == "darwin" else "linux",
        lambda folder: _definitions(platform, command, folder),
    )


def _command() -> tuple[str, ...] | None:
    if program := shutil.which("zig"):
        return (program,)
    return (sys.executable, "-m", "ziglang") if importlib.util.find_spec("ziglang") else None


def _definitions(platform: RunnerPlatform, command: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    zig = shlex.join(command)
    target = f"{platform.machine}-{_TARGETS[platform.system]}"
    for verb in ("cc", "c++"):
        _script(folder / f"zig-{verb}", f"{zig} {verb} -target {target}")
    for verb in ("ar", "ranlib"):
        _script(folder / f"zig-{verb}", f"{zig} {verb}")
    apple = platform.system == "darwin"
    return (
        f"-DCMAKE_SYSTEM_NAME={'Darwin' if apple else 'Linux'}",
        f"-DCMAKE_SYSTEM_PROCESSOR={'arm64' if apple and platform.machine == 'aarch64' else platform.machine}",
        f"-DCMAKE_C_COMPILER={folder / 'zig-cc'}",
        f"-DCMAKE_CXX_COMPILER={folder / 'zig-c++'}",
        f"-DCMAKE_AR={folder / 'zig-ar'}",
        f"-DCMAKE_RANLIB={folder / 'zig-ranlib'}",
        f"-DCMAKE_EXE_LINKER_FLAGS={'-s' if apple else '-static -s'}",
        *(("-DGGML_METAL=OFF", "-DGGML_ACCELERATE=OFF", "-DGGML_BLAS=OFF") if apple else ()),
        *_kernels(platform),
    )


def _kernels(platform: RunnerPlatform) -> tuple[str, ...]:
    if platform.machine != "aarch64":
        return arch_definitions(platform)
    cpu = "generic" + "".join(_FEATURES[word] for word in platform.isa.split("+"))
    return ("-DGGML_CPU_ARM_ARCH=", f"-DEDGESHRINK_KERNEL_FLAGS=-mcpu={cpu}")


def _script(path: Path, command: str) -> None:
    text = f'#!/bin/sh\nexec {command} "$@"\n'
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
