"""The real command, in a process of its own, with a store of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shell:
    """A working folder and a store, and the command run in them."""

    folder: Path
    store: Path

    def environment(self) -> dict[str, str]:
        return {**os.environ, "EDGESHRINK_CACHE": str(self.store), "COLUMNS": "120"}

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "edgeshrink", *map(str, arguments)],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def interrupt(self, process: subprocess.Popen[str], *, once: Callable[[], bool], otherwise: str) -> str:
        """Ctrl-C as soon as `once` holds; what it said on stderr until it left. It is gone when this returns."""
        deadline = time.monotonic() + 120
        try:
            while not once():
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < deadline, otherwise
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            return process.communicate(timeout=90)[1]
        finally:
            process.kill()
            process.wait()

    def run(self, *arguments: str | Path, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)
