"""A runner that serves, and those who ask it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from native_runner import LONGEST_S, Runner

BEFORE, AFTER = "<|begin|><|user|>", "<|end|><|assistant|>"
"""What the demo's chat template writes around a question."""
QUESTION = "What does Maria have?"
LEAVES_S = 5.0
"""A server that is asked to leave should take one: a busy machine may need more."""
_PATIENT = {**os.environ, "OMP_WAIT_POLICY": "passive"}


@dataclass(frozen=True)
class Chat:
    """The runner with the demo model and its chat."""

    runner: Runner
    model: Path
    before: Path
    after: Path

    def options(self, *more: object) -> tuple[object, ...]:
        affixes = ("--before", self.before, "--after", self.after)
        return ("--model", self.model, "--context", 512, "--threads", 2, *affixes, *more)

    def answer(self, *more: object, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return self.run("answer", *self.options(*more), given=given)

    def ask(self, path: Path, question: str) -> subprocess.CompletedProcess[bytes]:
        return self.run("ask", "--socket", path, given=question.encode())

    def run(self, *arguments: object, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.runner.command(*arguments),
            input=given,
            capture_output=True,
            timeout=LONGEST_S,
            env=_PATIENT,
            check=False,
        )

    @contextlib.contextmanager
    def serving(self, path: Path, *more: object) -> Iterator[Server]:
        """A server that has said it is ready; killed at the end where it has not left."""
        said = path.with_suffix(".said")
        with notified(path.with_suffix(".notify")) as (heard, address), said.open("wb") as out:
            process = subprocess.Popen(
                self.runner.command("serve", "--socket", path, *self.options(*more)),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE,
                env={**_PATIENT, "NOTIFY_SOCKET": address},
            )
            try:
                assert heard.recv(100) == b"READY=1"
                yield Server(path, process, heard, said)
            finally:
                process.kill()
                process.communicate()


@dataclass(frozen=True)
class Server:
    """`heard`: where it tells systemd how it is; `said`: its stdout."""

    path: Path
    process: subprocess.Popen[bytes]
    heard: socket.socket
    said: Path

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(LONGEST_S)
        client.connect(str(self.path))
        return client


@contextlib.contextmanager
def notified(path: Path, *, abstract: bool = False) -> Iterator[tuple[socket.socket, str]]:
    """A socket that hears datagrams, and its NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"\0{path}" if abstract else str(path))
        heard.settimeout(LONGEST_S)
        try:
            yield heard, f"@{path}" if abstract else str(path)
        finally:
            path.unlink(missing_ok=True)


def say(client: socket.socket, question: str) -> None:
    client.sendall(question.encode())
    client.shutdown(socket.SHUT_WR)


def rest(client: socket.socket) -> bytes:
    """All that still comes."""
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)
