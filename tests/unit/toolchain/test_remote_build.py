"""A runner compiled on the device: a folder here plays the device, this machine's shell its shell."""

from __future__ import annotations

import platform as host
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.events import Progress
from edgeshrink.errors import DeviceError, NoSpace, ToolMissing
from edgeshrink.toolchain.runner.archive import write_archive
from edgeshrink.toolchain.runner.backends import CPU, backend_for
from edgeshrink.toolchain.runner.build import BuiltRunner
from edgeshrink.toolchain.runner.program import RunnerSource, runner_source
from edgeshrink.toolchain.runner.remote import build_on_device, tools_on
from edgeshrink.toolchain.runner.sources import VARIABLE

from .planted_llama import a_device, builds_here, plant_llama, plant_runner

ORIN = a_device()
MAC = a_device(system="darwin", machine="arm64", names=("Mac14,2",), os="macOS 15.1")
TOOLS = {"cmake": "/usr/bin/cmake 3.22", "c++": "/usr/bin/c++ 11.4", "tar": "/usr/bin/tar 1.34"}
NVCC = {**TOOLS, "nvcc": "/usr/local/cuda/bin/nvcc Cuda compilation tools, release 12.6, V12.6.68"}


@dataclass(frozen=True, slots=True)
class Said:
    status: int
    stdout: str = ""


@dataclass
class Here:
    """A link to this machine that counts what it is asked for; `fails`: a program that ends as given."""

    asked: list[str] = field(default_factory=list)
    fails: dict[str, tuple[int, str]] = field(default_factory=dict)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float = 60.0,
        on_line: Callable[[str], None] | None = None,
        limit_bytes: int = 1 << 20,
    ) -> Said:
        program = argv[4] if len(argv) > 4 else "sh"
        self.asked.append(program)
        if program in self.fails:
            status, text = self.fails[program]
        else:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False)
            status, text = done.returncode, done.stdout
        for line in text.splitlines() if on_line else ():
            on_line(line)
        return Said(status, "" if on_line else text)

    def push(self, source: Path, target: str) -> None:
        self.asked.append("push")
        shutil.copyfile(source, target)

    def pull(self, source: str, target: Path, *, limit_bytes: int) -> None:
        self.asked.append("pull")
        assert Path(source).stat().st_size <= limit_bytes
        shutil.copyfile(source, target)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunnerSource:
    monkeypatch.setenv(VARIABLE, str(plant_llama(tmp_path / "llama")))
    return runner_source(plant_runner(tmp_path / "runner"))


@pytest.fixture
def device(tmp_path: Path) -> ProbedDevice:
    return a_device(machine=host.machine(), cores=2)


def build(
    link: Here, device: ProbedDevice, tmp_path: Path, source: RunnerSource, listener: Callable[[Progress], None] = print
) -> BuiltRunner:
    work = tmp_path / "device"
    work.mkdir(exist_ok=True)
    return build_on_device(
        link, device, CPU, tools_on(link), lambda: str(work), tmp_path / "runners", source=source, listener=listener
    )


@builds_here
def test_it_compiles_there_and_is_kept_here(device: ProbedDevice, tmp_path: Path, source: RunnerSource) -> None:
    seen: list[Progress] = []
    built = build(Here(), device, tmp_path, source, seen.append)
    shutil.rmtree(tmp_path / "device")
    said = subprocess.run([built.path], capture_output=True, text=True, check=True).stdout
    assert said == f"{built.build_id} 7\n"
    assert built.compiler.startswith("on the device: c++ ")
    counted = [event for event in seen if event.unit == "objects"]
    assert counted[-1].done == counted[-1].total
    again = Here()
    assert build(again, device, tmp_path, source) == built
    assert again.asked == ["sh"], "a runner that is kept here costs one look at the device's tools"


@builds_here
def test_another_device_or_another_system_builds_anew(
    device: ProbedDevice, tmp_path: Path, source: RunnerSource
) -> None:
    ids = {
        build(Here(), each, tmp_path, source).build_id
        for each in (device, replace(device, id="other"), replace(device, os="Ubuntu 24.04"))
    }
    assert len(ids) == 3


@builds_here
def test_what_a_device_says_is_quoted_without_its_control_characters(
    device: ProbedDevice, tmp_path: Path, source: RunnerSource
) -> None:
    link = Here(fails={"cmake": (1, "\x1b[31mNo CUDA toolset found\x1b[0m\n" + "x" * 5000)})
    with pytest.raises(DeviceError) as error:
        build(link, device, tmp_path, source)
    assert "No CUDA toolset found" in error.value.hint
    assert "\x1b" not in error.value.hint
    assert len(error.value.hint) < 1000
    assert not list((tmp_path / "runners").glob("device-*"))


@builds_here
def test_a_full_device_is_said_to_be_full(device: ProbedDevice, tmp_path: Path, source: RunnerSource) -> None:
    link = Here(fails={"tar": (2, "tar: llama/src/first.cpp: Cannot write: No space left on device")})
    with pytest.raises(NoSpace, match="on the device"):
        build(link, device, tmp_path, source)


@builds_here
def test_a_program_for_another_machine_is_refused(device: ProbedDevice, tmp_path: Path, source: RunnerSource) -> None:
    other = "aarch64" if host.machine() == "x86_64" else "x86_64"
    with pytest.raises(DeviceError, match=host.machine()):
        build(Here(), replace(device, machine=other), tmp_path, source)


def test_the_archive_holds_what_compiles_and_is_the_same_each_time(tmp_path: Path, source: RunnerSource) -> None:
    llama = tmp_path / "llama"
    for name in ("ggml/src/ggml-cuda/a.cu", "ggml/src/ggml-metal/a.m", "ggml/src/ggml-cpu/a.c", "tools/big.bin"):
        (llama / name).parent.mkdir(parents=True, exist_ok=True)
        (llama / name).write_text(name, encoding="utf-8")
    archives = [tmp_path / "one.tar.gz", tmp_path / "two.tar.gz"]
    for archive in archives:
        write_archive(archive, llama, source, ("cuda",))
        for file in llama.rglob("*.cpp"):
            file.touch()
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with tarfile.open(archives[0]) as tar:
        names = tar.getnames()
    assert {"runner/runner.cpp", "llama/src/first.cpp", "llama/ggml/src/ggml-cuda/a.cu"} <= set(names)
    assert not [name for name in names if "metal" in name or "tools" in name]


@pytest.mark.parametrize(
    ("names", "capability"),
    [
        (("NVIDIA Jetson AGX Orin",), "87"),
        (("NVIDIA Jetson Orin Nano Developer Kit",), "87"),
        (("NVIDIA Jetson Xavier NX", "nvidia,p3668"), "72"),
        (("NVIDIA Jetson Nano Developer Kit",), "53"),
        (("Some board",), "native"),
    ],
)
def test_a_jetson_is_compiled_for_its_own_gpu(names: tuple[str, ...], capability: str) -> None:
    backend = backend_for(replace(ORIN, names=names), NVCC)
    assert backend.folders == ("cuda",)
    assert f"-DCMAKE_CUDA_ARCHITECTURES={capability}" in backend.definitions
    assert "-DCMAKE_CUDA_COMPILER=/usr/local/cuda/bin/nvcc" in backend.definitions


def test_a_mac_is_compiled_with_metal() -> None:
    backend = backend_for(MAC, TOOLS)
    assert backend.folders == ("metal", "blas")
    assert {"-DGGML_METAL=ON", "-DGGML_METAL_EMBED_LIBRARY=ON"} <= set(backend.definitions)


def test_what_is_missing_on_the_device_is_named_with_the_fix() -> None:
    with pytest.raises(ToolMissing, match="nvcc") as error:
        backend_for(ORIN, TOOLS)
    assert "nvidia-jetpack" in error.value.hint
    with pytest.raises(ToolMissing, match="no cmake"):
        backend_for(MAC, {})


def test_gpus_that_cannot_be_built_for_are_refused() -> None:
    old = {**TOOLS, "nvcc": "/usr/local/cuda/bin/nvcc Cuda compilation tools, release 10.2, V10.2.300"}
    with pytest.raises(DeviceError, match=r"C\+\+17"):
        backend_for(ORIN, old)
    with pytest.raises(DeviceError, match="Android"):
        backend_for(replace(ORIN, system="android"), {})


def test_tools_are_found_where_jetsons_and_macs_keep_them() -> None:
    class Odd(Here):
        def run(self, argv: Sequence[str], **_: object) -> Said:  # type: ignore[override]
            assert "/usr/local/cuda/bin" in argv[2] and "/opt/homebrew/bin" in argv[2]
            return Said(0, "cmake=/usr/bin/cmake cmake version 3.22.1\nevil=/bin/evil\nnvcc=$(reboot)\nmake=\x1b[2J\n")

    assert tools_on(Odd()) == {"cmake": "/usr/bin/cmake cmake version 3.22.1"}
