"""A runner compiled on the device: where a GPU is to compute, whose libraries are there and not here.

The sources go over the link as one archive, the finished program comes back and is kept here like any other. What
the device says while it compiles is shown as progress and quoted in errors, made safe; nothing of it is evaluated.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from filelock import FileLock

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.core.plain import plain
from edgeshrink.errors import DeviceError, NoSpace
from edgeshrink.toolchain import elf
from edgeshrink.toolchain.runner import cache
from edgeshrink.toolchain.runner.archive import write_archive
from edgeshrink.toolchain.runner.backends import Backend
from edgeshrink.toolchain.runner.build import BuiltRunner
from edgeshrink.toolchain.runner.cache import PROGRAM, RunnerRecord
from edgeshrink.toolchain.runner.compiling import progress_in
from edgeshrink.toolchain.runner.job import RULES
from edgeshrink.toolchain.runner.making import COMMON
from edgeshrink.toolchain.runner.platform import NATIVE, RunnerPlatform, machine_of
from edgeshrink.toolchain.runner.program import RunnerSource, llama_identity, runner_source
from edgeshrink.toolchain.runner.sources import llama_sources

TOOLS = ("cmake", "ninja", "make", "c++", "nvcc", "tar")
_PATH = 'PATH="$PATH:/usr/local/cuda/bin:/opt/homebrew/bin:/usr/local/bin"; export PATH'
_LOOK = (
    f"{_PATH}; for t in {' '.join(TOOLS)}; do p=$(command -v $t) && "
    'echo "$t=$p $($p --version 2>/dev/null </dev/null | sed -n "/[0-9][.][0-9]/p" | head -n 1)"; done; exit 0'
)
# Ninja's and the compilers' words come in one stream; LC_ALL keeps them English.
_RUN = f'{_PATH}; LC_ALL=C; NINJA_STATUS="[%f/%t] "; export LC_ALL NINJA_STATUS; exec "$@" 2>&1 </dev/null'
_BUILD_S = 6 * 3600.0
_OUTPUT_BYTES = 64 << 20
_PROGRAM_BYTES = 1 << 30
_BYTES_A_COMPILER = 2 << 30  # nvcc takes more than a C++ compiler
_QUOTED_LINES = 15


class Ended(Protocol):
    """A command that ended on the device."""

    @property
    def status(self) -> int: ...
    @property
    def stdout(self) -> str: ...


class Link(Protocol):
    """What this needs of a transport."""

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float = 60.0,
        on_line: Callable[[str], None] | None = None,
        limit_bytes: int = _OUTPUT_BYTES,
    ) -> Ended: ...
    def push(self, source: Path, target: str) -> None: ...
    def pull(self, source: str, target: Path, *, limit_bytes: int) -> None: ...


def tools_on(link: Link) -> dict[str, str]:
    """The compiling programs that are there: name -> "path first-line-of-its-version"."""
    said = link.run(("sh", "-c", _LOOK)).stdout
    pairs = (line.partition("=") for line in said.splitlines()[: len(TOOLS)])
    return {name: plain(rest)[:200] for name, _, rest in pairs if name in TOOLS and rest.startswith("/")}


def build_on_device(
    link: Link,
    device: ProbedDevice,
    backend: Backend,
    tools: dict[str, str],
    work: Callable[[], str],
    folder: Path,
    *,
    listener: Listener = silent,
    source: RunnerSource | None = None,
) -> BuiltRunner:
    """Compile there with `backend`, below the device's folder that `work` gives when it comes to that, and keep the
    program in `folder` here, by the device, its tools and the sources.

    DeviceError quotes the end of what the device said; DeviceLost; NoSpace there or here.
    """
    source, llama = source or runner_source(), llama_identity()
    told = (
        str(RULES),
        llama,
        source.digest,
        device.id,
        device.os,
        backend.name,
        *(f"{k}={tools[k]}" for k in sorted(tools)),
    )
    digest = hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]
    platform = RunnerPlatform(device.system, machine_of(device), NATIVE, ())
    where = hashlib.sha256(device.id.encode()).hexdigest()[:8]
    name = f"device-{where}-{backend.name}-{digest}"
    build_id = f"{llama}+{digest}"
    (folder / "locks").mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "locks" / f"{name}.lock"):
        if kept := cache.find(folder, name):
            return BuiltRunner.of(kept, platform)
        started = time.monotonic()
        compiler = _version(tools.get("nvcc" if backend.name == "cuda" else "c++", ""))

        def make(program: Path) -> None:
            task = f"build the runner on {device.address} ({backend.name})"
            there = f"{work()}/{name}"
            _send(link, there, llama_sources(folder / "sources", listener), source, backend, task, listener)
            identity = (
                f"-DEDGESHRINK_BUILD={build_id}",
                f"-DEDGESHRINK_LLAMA={llama}",
                f"-DLLAMA_BUILD_COMMIT={llama}",
            )
            _compile(link, there, (*identity, *backend.definitions), device, tools, task, listener)
            link.pull(f"{there}/build/{PROGRAM}", program, limit_bytes=_PROGRAM_BYTES)
            if device.system != "darwin" and (made := elf.read_elf(program).machine) != platform.machine:
                raise DeviceError(f"{device.address} compiled a program for {made}, and is a {platform.machine}")

        def record() -> RunnerRecord:
            return RunnerRecord(
                build_id=build_id,
                compiler=f"on the device: {compiler}".rstrip(": "),
                target=f"device-{where}",
                level=f"{platform.level}-{backend.name}",
                llama=llama,
                program=source.digest,
                seconds=round(time.monotonic() - started, 1),
            )

        return BuiltRunner.of(cache.keep(folder, name, make, record), platform)


def _send(
    link: Link, there: str, sources: Path, source: RunnerSource, backend: Backend, task: str, listener: Listener
) -> None:
    listener(Progress(f"{task}: send the sources", 0, 0))
    with tempfile.TemporaryDirectory(prefix="edgeshrink-sources-") as scratch:
        archive = Path(scratch) / "sources.tar.gz"
        write_archive(archive, sources, source, backend.folders)
        _done(link, ("mkdir", "-p", there), task)
        link.push(archive, f"{there}/sources.tar.gz")
    _done(link, ("tar", "-xzf", f"{there}/sources.tar.gz", "-C", there), task, timeout_s=600.0)


def _compile(
    link: Link,
    there: str,
    definitions: tuple[str, ...],
    device: ProbedDevice,
    tools: dict[str, str],
    task: str,
    listener: Listener,
) -> None:
    def watch(line: str) -> None:
        if progress := progress_in(line, task):
            listener(progress)

    common = tuple(flag for flag in COMMON if not flag.startswith("-DGGML_NATIVE"))
    kind = "Ninja" if "ninja" in tools else "Unix Makefiles"
    jobs = max(1, min(device.cores, device.available_bytes // _BYTES_A_COMPILER))
    configure = ("cmake", "-G", kind, "-S", f"{there}/runner", "-B", f"{there}/build", f"-DLLAMA_CPP={there}/llama")
    listener(Progress(f"{task}: configure", 0, 0))
    _done(link, (*configure, *common, "-DGGML_NATIVE=ON", *definitions), task, timeout_s=1200.0)
    build = ("cmake", "--build", f"{there}/build", "--target", PROGRAM, "--parallel", str(jobs))
    _done(link, build, task, timeout_s=_BUILD_S, watch=watch)


def _done(
    link: Link,
    argv: Sequence[str],
    task: str,
    *,
    timeout_s: float = 60.0,
    watch: Callable[[str], None] | None = None,
) -> None:
    """Run it there; DeviceError with the end of what it said where it fails."""
    last: deque[str] = deque(maxlen=_QUOTED_LINES)

    def line_came(line: str) -> None:
        last.append(plain(line)[:400])
        if watch is not None:
            watch(line)

    ended = link.run(("sh", "-c", _RUN, "sh", *argv), timeout_s=timeout_s, on_line=line_came, limit_bytes=_OUTPUT_BYTES)
    if ended.status == 0:
        return
    said = "\n".join(line for line in last if line.strip())
    if "No space left on device" in said:
        raise NoSpace(f"no space left on the device: {task}", hint="the sources and objects take 300 MB there")
    raise DeviceError(f"failed: {task}: {argv[0]} ended with {ended.status}", hint=f"it said last:\n{said}")


def _version(tool: str) -> str:
    """ "/usr/bin/c++ c++ (Debian 12.2.0-14) 12.2.0" -> "c++ 12.2.0"."""
    path, _, version = tool.partition(" ")
    number = re.search(r"\d+\.\d+(?:\.\d+)*", version)
    return f"{path.rpartition('/')[2]} {number[0] if number else ''}".strip()
