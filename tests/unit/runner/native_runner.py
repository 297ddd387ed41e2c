"""The runner as a test starts it: one whole run, its JSON lines read."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Event = dict[str, Any]
LONGEST_S = 60
# The installed llama.cpp may wait for its threads by spinning, in the time of those that it waits for.
_PATIENT = {**os.environ, "OMP_WAIT_POLICY": "passive"}


@dataclass(frozen=True)
class Spoken:
    """What one run said: every line of stdout as an event, its exit code, and stderr."""

    events: tuple[Event, ...]
    code: int
    stderr: str

    def all(self, name: str) -> list[Event]:
        return [event for event in self.events if event["event"] == name]

    def one(self, name: str) -> Event:
        (event,) = self.all(name)
        return event


@dataclass(frozen=True)
class Runner:
    """A program that speaks the runner's protocol."""

    path: Path
    build_id: str = ""

    def command(self, *arguments: object) -> list[str]:
        return [str(self.path), *(str(argument) for argument in arguments)]

    def __call__(self, *arguments: object, limit: Callable[[], None] | None = None) -> Spoken:
        done = subprocess.run(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LONGEST_S,
            preexec_fn=limit,
            env=_PATIENT,
            check=False,
        )
        lines = done.stdout.decode("utf-8", "strict").splitlines()
        return Spoken(tuple(json.loads(line) for line in lines), done.returncode, done.stderr.decode())

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        """With both ends held: the caller stops it."""
        return subprocess.Popen(self.command(*arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_PATIENT)
