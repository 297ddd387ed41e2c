"""Calls of what may never end (a person's pattern, schema or function, on a model's words) in a process of its own.

The process ends itself: Python's watchdog thread needs no lock of the interpreter, so it stops even a regular
expression that backtracks for ever, and also where its parent is gone.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from edgeshrink.errors import DataError
from edgeshrink.runtimes.quiet import QUIET

SECONDS = 5.0
MOST_ENDLESS = 5
"""Answers on which one person's pattern or function may be stopped before the suite is: each takes SECONDS."""
_BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.stdin.readline()); "
    "from edgeshrink.evaluate.scorers.worker import serve; serve()"
)


@dataclass(frozen=True, slots=True)
class Returned:
    """What a call that ended gave back: a JSON value."""

    value: Any


class Bounded:
    """One worker process, started when first needed and again after it was stopped."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[str] | None = None
        self._endless: dict[str, int] = {}

    def call(self, function: str, *arguments: Any, what: str, folder: Path | None = None) -> Returned | None:
        """What `function` ("module:name"; a file in `folder` before an installed module) returns; None where it did
        not end in time or its process died. DataError where it raised, or too often did not end; `what` names it.
        """
        process = self._process or self._start()
        request = {
            "function": function,
            "arguments": arguments,
            "folder": None if folder is None else str(folder),
            "seconds": self._seconds,
        }
        line = ""
        with contextlib.suppress(OSError):
            stdin, stdout = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
            line = stdout.readline()
        if not line.endswith("\n"):
            self.close()
            self._count(what)
            return None
        answer = json.loads(line)
        if "error" in answer:
            raise DataError(f"{what} failed: {answer['error']}", hint="correct it, and run the suite again")
        return Returned(answer["value"])

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    cast(IO[str], pipe).close()

    def _count(self, what: str) -> None:
        self._endless[what] = self._endless.get(what, 0) + 1
        if self._endless[what] > MOST_ENDLESS:
            raise DataError(
                f"{what} did not end within {self._seconds:g} s on {self._endless[what]} answers",
                hint="a repetition inside a repetition, such as (a+)+, takes time without end: write it otherwise",
            )

    def _start(self) -> subprocess.Popen[str]:
        self._process = process = subprocess.Popen(
            [sys.executable, "-P", "-X", "utf8", "-c", _BOOTSTRAP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={**QUIET, **os.environ},
        )
        cast(IO[str], process.stdin).write(json.dumps([entry or str(Path.cwd()) for entry in sys.path]) + "\n")
        return process


shared = Bounded()
atexit.register(shared.close)
