"""CMake and what it drives, run to the end: progress as values, everything said in a log, nothing left running.

When edgeshrink itself is killed, Ninja dies of its closed pipe at the next object, and the compilers that still run
hold the lock of the folder (`held`), so that the next run waits for them and goes on where they stopped.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from edgeshrink.core.events import Listener, Progress
from edgeshrink.errors import NoSpace, StepFailed, ToolMissing
from edgeshrink.toolchain import cmake, make, ninja

if sys.platform != "win32":
    import fcntl

_COUNTED = re.compile(r"^\[\s*(\d{1,9})/(\d{1,9})\]")
_PERCENT = re.compile(r"^\[\s*(\d{1,3})%\]")
_QUOTED_LINES = 15
_BYTES_A_COMPILER = 1 << 30  # llama.cpp's largest files take about that much
_STOP_S = 10.0


@contextmanager
def held(path: Path) -> Iterator[int | None]:
    """Hold `path` until this and every program that got the yielded descriptor has ended."""
    if sys.platform == "win32":
        yield None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def generator() -> tuple[str, tuple[str, ...]]:
    """The generator for CMake, and the definition that names its program. ToolMissing where there is none."""
    if found := ninja.find():
        return "Ninja", (f"-DCMAKE_MAKE_PROGRAM={found.path}",)
    if found := make.find():
        return "Unix Makefiles", (f"-DCMAKE_MAKE_PROGRAM={found.path}",)
    raise ToolMissing("neither Ninja nor make is on the PATH", hint=cmake.FIX)


def cmake_program() -> str:
    """The path of CMake. ToolMissing where there is none."""
    found = cmake.find()
    if found is None:
        raise ToolMissing("there is no CMake, which building a runner needs", hint=cmake.FIX)
    return str(found.path)


def parallel_jobs() -> int:
    """Compilers at once: one a CPU, fewer where the RAM would not do."""
    return max(1, min(os.cpu_count() or 1, psutil.virtual_memory().available // _BYTES_A_COMPILER))


def progress_in(line: str, task: str) -> Progress | None:
    """What a line of Ninja ("[12/140] Building ..") or of make ("[ 12%] ..") says about how far it is."""
    if match := _COUNTED.match(line):
        return Progress(task, int(match[1]), int(match[2]), "objects")
    match = _PERCENT.match(line)
    return Progress(task, int(match[1]), 100, "percent") if match else None


def run_logged(
    command: Sequence[str],
    log: Path,
    task: str,
    listener: Listener,
    *,
    keep: int | None = None,
) -> None:
    """Run `command`, append what it says to `log`, and tell the listener how far it is.

    StepFailed names the log and its last lines; NoSpace where they say so. Whatever ends this (Ctrl-C, an exception in
    the listener), the command and all that it started are gone first.
    """
    last: deque[str] = deque(maxlen=_QUOTED_LINES)
    with log.open("a", encoding="utf-8", errors="replace") as file:
        file.write(f"$ {' '.join(command)}\n")
        file.flush()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "NINJA_STATUS": "[%f/%t] ", "LC_ALL": "C"},
            start_new_session=True,
            pass_fds=() if keep is None else (keep,),
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                file.write(line)
                last.append(line.rstrip())
                if progress := progress_in(line, task):
                    listener(progress)
            status = process.wait()
        finally:
            _stop(process)
    if status:
        raise _failure(task, status, tuple(last), log)


def _stop(process: subprocess.Popen[str]) -> None:
    """End the process and all of its group, the gentle way first."""
    assert process.stdout is not None
    for sign in () if process.poll() is not None else (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with suppress(ProcessLookupError):
            if sys.platform == "win32":
                process.terminate()
            else:
                os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
            break
    process.stdout.close()


def _failure(task: str, status: int, last: tuple[str, ...], log: Path) -> StepFailed | NoSpace:
    said = "\n".join(line for line in last if line.strip())
    if "No space left on device" in said:
        return NoSpace(
            f"no space left: {task}", hint=f"a build takes 100 MB below {log.parent}; EDGESHRINK_RUNNERS names another"
        )
    killed = "Killed" in said or status == -signal.SIGKILL
    memory = "; it was killed, most often for want of RAM: close other programs and run again" if killed else ""
    return StepFailed(f"failed: {task}{memory}", hint=f"the end of its log:\n{said}\nall of it: {log}")
