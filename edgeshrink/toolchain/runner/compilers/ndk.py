"""Android's NDK. Its files use the phone's own libc, so that they could open the phone's GPU libraries one day.

Written after the NDK's CMake guide; no NDK could be reached where this was made, so it has not been seen to run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from edgeshrink.toolchain.interface import version_in
from edgeshrink.toolchain.runner.compilers.interface import Compiler, arch_definitions
from edgeshrink.toolchain.runner.platform import RunnerPlatform

NAME = "ndk"
FIX = "install Android's NDK and set ANDROID_NDK_HOME to its folder"
_API = 28  # the oldest Android whose libc has all that ggml calls
_ABIS = {"aarch64": "arm64-v8a", "x86_64": "x86_64"}
_TOOLCHAIN = "build/cmake/android.toolchain.cmake"
_LINK = "-s -Wl,-z,max-page-size=16384"


def find(platform: RunnerPlatform) -> Compiler | str:
    """The NDK of ANDROID_NDK_HOME or ANDROID_NDK_ROOT, else the newest below ANDROID_HOME."""
    if platform.system != "android":
        return "it makes files for Android only"
    for folder in _folders():
        toolchain = folder / _TOOLCHAIN
        if toolchain.is_file():
            break
    else:
        return "ANDROID_NDK_HOME, ANDROID_NDK_ROOT and ANDROID_HOME name no NDK"

    def definitions(_: Path) -> tuple[str, ...]:
        return (
            f"-DCMAKE_TOOLCHAIN_FILE={toolchain}",
            f"-DANDROID_ABI={_ABIS[platform.machine]}",
            f"-DANDROID_PLATFORM=android-{_API}",
            "-DANDROID_STL=c++_static",
            f"-DCMAKE_EXE_LINKER_FLAGS={_LINK}",
            *arch_definitions(platform),
        )

    return Compiler(NAME, _version(folder), f"android{_API}", definitions, interpreter="/system/bin/linker64")


def _folders() -> Iterator[Path]:
    for name in ("ANDROID_NDK_HOME", "ANDROID_NDK_ROOT"):
        if given := os.environ.get(name):
            yield Path(given).expanduser()
    for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT"):
        if given := os.environ.get(name):
            installed = (Path(given).expanduser() / "ndk").glob("*")
            yield from sorted(installed, key=lambda folder: [int(n) for n in re.findall(r"\d+", folder.name)])[::-1]


def _version(folder: Path) -> str:
    try:
        return version_in((folder / "source.properties").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
