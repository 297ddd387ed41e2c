"""Where the runner for a device comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgeshrink.core.device import Address, Probe, ProbedDevice
from edgeshrink.core.events import silent
from edgeshrink.devices.local import host_facts
from edgeshrink.devices.transports.interface import Done
from edgeshrink.engine import runners
from edgeshrink.errors import ToolMissing
from edgeshrink.toolchain.runner.backends import Backend
from edgeshrink.toolchain.runner.build import BuiltRunner
from edgeshrink.toolchain.runner.platform import RunnerPlatform

COMPILERS = "cmake=/usr/bin/cmake cmake version 3.22.1\nc++=/usr/bin/c++ 11.4.0\ntar=/usr/bin/tar 1.34\n"
NVCC = "nvcc=/usr/local/cuda/bin/nvcc release 12.6, V12.6.68\n"


class Link:
    """A transport to a device with these programs, and with this machine's files or not."""

    address = Address("ssh", "me@there")

    def __init__(self, programs: str = "", *, files: bool = False) -> None:
        self.programs, self.files = programs, files

    def run(self, argv: Sequence[str], **_: Any) -> Done:
        if argv[0] == "test":
            return Done(0 if self.files else 1, "", "")
        return Done(0, self.programs, "")

    def push(self, source: Path, target: str) -> None:
        raise AssertionError("nothing is pushed to choose a runner")

    def pull(self, source: str, target: Path, *, limit_bytes: int) -> None:
        raise AssertionError("nothing is pulled to choose a runner")

    def probe(self, globs: Sequence[str] = (), commands: Sequence[str] = ()) -> Probe:
        raise AssertionError("the device was probed before")

    def close(self) -> None: ...


def probed(**changed: object) -> ProbedDevice:
    fields: dict[str, object] = {
        "address": "ssh:me@there", "id": "another machine", "system": "linux", "os": "Ubuntu 22.04", "kernel": "",
        "machine": "aarch64", "libc": "glibc 2.35", "names": ("NVIDIA Jetson Orin Nano",), "cpu": "", "clusters": (),
        "cores": 6, "cpu_features": ("asimdhp", "asimddp"), "ram_bytes": 8 << 30, "available_bytes": 6 << 30,
        "page_bytes": 4096,
    }  # fmt: skip
    return ProbedDevice(**{**fields, **changed})  # type: ignore[arg-type]


MAC = {"system": "darwin", "machine": "arm64", "cpu_features": ("asimdhp", "asimddp", "i8mm"), "names": ("Mac14,2",)}


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What would be built, in words."""

    def build(platform: RunnerPlatform, folder: Path, **_: Any) -> BuiltRunner:
        return BuiltRunner(folder, platform.key, "here", platform)

    def build_there(link: Link, device: ProbedDevice, backend: Backend, *_: Any, **__: Any) -> BuiltRunner:
        return BuiltRunner(Path(), backend.name, "there", RunnerPlatform(device.system, "aarch64", "native", ()))

    monkeypatch.setattr(runners, "build_runner", build)
    monkeypatch.setattr(runners, "build_on_device", build_there)
    monkeypatch.setattr(runners, "open_workspace", lambda *_, **__: nullcontext(SimpleNamespace(folder="/tmp/w")))

    def choose(device: ProbedDevice, link: Link, *, gpu: bool = False) -> str:
        built = runners.runner_for(device, link, gpu=gpu, listener=silent)
        return f"{built.build_id} {built.compiler}"

    return choose


def test_a_board_gets_a_file_for_its_instructions(chosen: Callable[..., str]) -> None:
    assert chosen(probed(), Link(COMPILERS + NVCC)) == "linux-arm64-dotprod here"
    assert chosen(probed(system="android"), Link()) == "android-arm64-dotprod here"


def test_this_machine_gets_the_linked_one_by_whatever_link(chosen: Callable[..., str]) -> None:
    local = chosen(probed(address="local", machine="x86_64"), Link())
    assert local.endswith("-native here")
    itself = probed(id=host_facts().id, machine="x86_64", cpu_features=())
    assert chosen(itself, Link(files=True)) == local
    assert chosen(itself, Link(files=False)) == "linux-x86-64 here", "a container on this machine has other files"


def test_a_gpu_of_a_jetson_is_compiled_for_there(chosen: Callable[..., str]) -> None:
    assert chosen(probed(), Link(COMPILERS + NVCC), gpu=True) == "cuda there"
    with pytest.raises(ToolMissing, match="nvcc"):
        chosen(probed(), Link(COMPILERS), gpu=True)


def test_a_mac_builds_its_own_and_without_compilers_gets_one_for_its_cpu(chosen: Callable[..., str]) -> None:
    assert chosen(probed(**MAC), Link(COMPILERS)) == "metal there"
    assert chosen(probed(**MAC), Link()) == "darwin-arm64-i8mm here"
    with pytest.raises(ToolMissing, match="cmake"):
        chosen(probed(**MAC), Link(), gpu=True)
