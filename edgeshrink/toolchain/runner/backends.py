"""Backends of ggml that are compiled where they will compute: what the device must have for that, and the flags.

None of CUDA and Metal could be tried where this was made; what they share with the CPU's build was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from edgeshrink.core.device import ProbedDevice
from edgeshrink.errors import DeviceError, ToolMissing

# Name of the module -> compute capability of its GPU (NVIDIA's list of CUDA GPUs, Jetson products).
_CAPABILITIES = {"orin": "87", "xavier": "72", "tx2": "62", "nano": "53", "tx1": "53"}
_LEAST_CUDA = 11  # the first whose nvcc knows C++17


@dataclass(frozen=True, slots=True)
class Backend:
    """`folders`: sources besides the CPU's; `definitions`: for CMake on the device."""

    name: str
    folders: tuple[str, ...]
    definitions: tuple[str, ...]


CPU = Backend("cpu", (), ())


def backend_for(device: ProbedDevice, tools: Mapping[str, str]) -> Backend:
    """The GPU's backend that can be compiled on the device. `tools`: name of a program there -> path and version.

    ToolMissing says what the device lacks; DeviceError where there is nothing to compile.
    """
    if device.system == "android":
        raise DeviceError(
            f"{device.address}: no runner for the GPU of an Android device can be built",
            hint="measure its CPU: --delegate cpu",
        )
    for name in ("cmake", "c++", "tar"):
        if name not in tools:
            raise ToolMissing(
                f"{device.address} has no {name}: a runner for its GPU is compiled on the device itself",
                hint="macOS: xcode-select --install; brew install cmake. Jetson: sudo apt install cmake g++",
            )
    if device.system == "darwin":
        return Backend("metal", ("metal", "blas"), ("-DGGML_METAL=ON", "-DGGML_METAL_EMBED_LIBRARY=ON"))
    nvcc = tools.get("nvcc")
    if nvcc is None:
        raise ToolMissing(
            f"{device.address} has no nvcc: a runner for its GPU is compiled there, with the CUDA toolkit",
            hint="Jetson: sudo apt install nvidia-jetpack; or measure the CPU: --delegate cpu",
        )
    path, _, version = nvcc.partition(" ")
    release = re.search(r"(?:release |V)?(\d+)\.\d+", version)
    if release and int(release[1]) < _LEAST_CUDA:
        raise DeviceError(
            f"{device.address} has CUDA {release[1]}, whose compiler knows no C++17: llama.cpp cannot use this GPU",
            hint="JetPack 5 or later brings CUDA 11; or measure the CPU: --delegate cpu",
        )
    definitions = (
        "-DGGML_CUDA=ON",
        f"-DCMAKE_CUDA_COMPILER={path}",
        f"-DCMAKE_CUDA_ARCHITECTURES={_capability(device)}",
    )
    return Backend("cuda", ("cuda",), definitions)


def _capability(device: ProbedDevice) -> str:
    """ "87" for an Orin; "native", which CMake 3.24 finds out itself, for a GPU that no name tells."""
    told = " ".join((*device.names, *device.gpus)).lower()
    return next((number for name, number in _CAPABILITIES.items() if name in told), "native")
