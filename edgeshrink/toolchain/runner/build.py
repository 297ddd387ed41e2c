"""A runner for a platform: from the cache, else compiled now.

llama.cpp itself takes minutes and our own files seconds, so objects stay in a folder that knows nothing of these: a
new edgeshrink, or a killed build, costs what has changed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.errors import NO_SPACE, NoSpace
from edgeshrink.toolchain.runner import cache
from edgeshrink.toolchain.runner.compilers import registry
from edgeshrink.toolchain.runner.job import RunnerJob
from edgeshrink.toolchain.runner.making import compile_for_device, link_native
from edgeshrink.toolchain.runner.platform import NATIVE, RunnerPlatform
from edgeshrink.toolchain.runner.program import RunnerSource, llama_identity, runner_source


@dataclass(frozen=True, slots=True)
class BuiltRunner:
    """A runner on this machine's disk. `build_id` is what the runner calls itself; `compiler` "gnu 12.2.0"."""

    path: Path
    build_id: str
    compiler: str
    platform: RunnerPlatform

    @property
    def llama(self) -> str:
        """The version of llama.cpp in it, as the pinned Python package counts: "0.3.36"."""
        return self.build_id.partition("+")[0]

    @classmethod
    def of(cls, kept: cache.Kept, platform: RunnerPlatform) -> BuiltRunner:
        return cls(kept.path, kept.record.build_id, kept.record.compiler, platform)


def build_runner(
    platform: RunnerPlatform,
    folder: Path,
    *,
    listener: Listener = silent,
    jobs: int | None = None,
    source: RunnerSource | None = None,
) -> BuiltRunner:
    """The runner for `platform`, kept in `folder`: a static file for other devices, one linked to the installed
    llama.cpp for this machine. What is there is taken, whichever compiler made it.

    ToolMissing says which compiler is missing and why the others will not do; StepFailed names the log of a failed
    build; NoSpace. Several at once build it once. Killed, it goes on the next time.
    """
    source, llama = source or runner_source(), llama_identity()
    compilers = registry.found(platform)
    wanted = [RunnerJob(platform, compiler, llama, source, folder, listener, jobs) for compiler in compilers]
    for job in wanted:
        if kept := cache.find(folder, job.name):
            return BuiltRunner.of(kept, platform)
    if not wanted:
        for kept in cache.everything(folder):
            if (kept.record.llama, kept.record.program) == (llama, source.digest) and kept.record.runs_on(platform):
                return BuiltRunner.of(kept, platform)
        raise registry.none_here(platform)
    return BuiltRunner.of(_build(wanted[0]), platform)


def _build(job: RunnerJob) -> cache.Kept:
    try:
        with _locked(job):
            if kept := cache.find(job.folder, job.name):
                return kept
            started = time.monotonic()
            make = link_native if job.platform.isa == NATIVE else compile_for_device
            return cache.keep(
                job.folder, job.name, lambda path: make(job, path), lambda: job.record(time.monotonic() - started)
            )
    except OSError as error:
        if error.errno in NO_SPACE:
            raise NoSpace(
                f"no space left: {job.task}", hint="a build takes 100 MB; EDGESHRINK_RUNNERS names another folder"
            ) from error
        raise


@contextmanager
def _locked(job: RunnerJob) -> Iterator[None]:
    locks = job.folder / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    lock = FileLock(locks / f"{job.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        job.listener(Progress(f"{job.task}: another process is at it, waiting", 0, 0))
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
