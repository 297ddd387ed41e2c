"""A local program that is listened to: its output is bounded, its time is limited, and it never outlives its caller.

Every transport runs its client (ssh, adb, or the program itself) through here. Threads read the pipes, so it is the
same on Linux, macOS and Windows.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Literal

from edgeshrink.devices.transports.interface import OUTPUT_LIMIT
from edgeshrink.errors import DeviceError, DeviceLost

Stream = Literal["stdout", "stderr"]
_CHUNK = 1 << 16
_QUEUED = 64
_TICK_S = 0.2
_TERM_S = 1.0
_GRACE_S = 1.0
_WATCH_S = 10.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that ended. `status` is its exit status, 128 + n where signal n ended it."""

    status: int
    stdout: bytes
    stderr: bytes


class Client:
    """A program in a process group of its own, for the length of a `with` block. OSError where it cannot start.

    Ctrl-C reaches the program only through the end of the block, for the terminal signals another group.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | IO[bytes] | None = None,
        hold_stdin: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._argv = tuple(argv)
        self._stdin = stdin
        self._hold = hold_stdin
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | ValueError | None = None
        self._ending = False
        self._exited: float | None = None
        self._said: queue.Queue[tuple[Stream, bytes]] = queue.Queue(_QUEUED)
        self._open: set[Stream] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Client:
        # Ctrl-C strikes the main thread alone: started in another, the program is never lost half-way.
        starter = threading.Thread(target=self._start, name="client start")
        try:
            starter.start()
            starter.join()
            if self._failure is not None:
                raise self._failure
            return self
        except BaseException:
            self._ending = True
            with contextlib.suppress(RuntimeError):
                starter.join()
            self.end()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def listen(self, wait_s: float) -> tuple[Stream, bytes] | None:
        """What it said next; None: nothing within `wait_s`, or a stream ended."""
        if not self._open:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._running().wait(wait_s)
            return None
        try:
            stream, chunk = self._said.get(timeout=wait_s)
        except queue.Empty:
            return None
        if chunk:
            return stream, chunk
        self._open.discard(stream)
        return None

    def running(self) -> bool:
        return self._running().poll() is None

    def finished(self) -> bool:
        """It exited and all that it said was heard; a child of its that holds a pipe is not waited for."""
        if self._running().poll() is None:
            return False
        self._exited = self._exited or time.monotonic()
        return not self._open or (self._said.empty() and time.monotonic() - self._exited > _GRACE_S)

    def status(self) -> int:
        """The exit status of a program that `finished`."""
        code = self._running().wait()
        return 128 - code if code < 0 else code

    def end(self, *, patience_s: float = 0.0) -> None:
        """Gone with its children when this returns. `patience_s`: how long it may take to leave when stdin closes."""
        self._ending = True
        process = self._process
        if process is not None:
            if patience_s and process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(patience_s)
            if process.poll() is None:
                _signal_group(process, signal.SIGTERM)
                try:
                    process.wait(_TERM_S)
                except subprocess.TimeoutExpired:
                    _signal_group(process, _KILL)
                    process.wait()
            if self._open:
                _signal_group(process, _KILL)
        for thread in self._threads:
            thread.join(_GRACE_S)
        if process is not None and process.stdin is not None and not self._threads[-1].is_alive():
            process.stdin.close()

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "used outside its block"
        return self._process

    def _start(self) -> None:
        given = self._stdin
        piped = isinstance(given, bytes) or self._hold
        group = 0 if os.name == "posix" else getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        try:
            process = subprocess.Popen(
                self._argv,
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL if given is None else given,  # type: ignore[arg-type]
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=self._env,
                start_new_session=True,
                creationflags=group,
            )
        except (OSError, ValueError) as error:
            self._failure = error
            return
        self._process = process
        assert process.stdout is not None and process.stderr is not None
        self._open = {"stdout", "stderr"}
        self._threads = [
            threading.Thread(target=self._read, args=("stdout", process.stdout), name="client stdout", daemon=True),
            threading.Thread(target=self._read, args=("stderr", process.stderr), name="client stderr", daemon=True),
        ]
        if isinstance(given, bytes) and process.stdin is not None:
            feed = (process.stdin, given)
            self._threads.append(threading.Thread(target=self._feed, args=feed, name="client stdin", daemon=True))
        for thread in self._threads:
            thread.start()
        if self._ending:
            _signal_group(process, _KILL)

    def _read(self, stream: Stream, pipe: IO[bytes]) -> None:
        with pipe:
            # Another process may hold the pipe open for long: ssh hands it to the one that owns the connection.
            poller = select.poll() if hasattr(select, "poll") else None
            if poller is not None:
                poller.register(pipe, select.POLLIN)
            while not self._ending:
                if poller is not None and not poller.poll(_TICK_S * 1000):
                    continue
                chunk = pipe.read(_CHUNK)
                self._tell(stream, chunk)
                if not chunk:
                    return

    def _tell(self, stream: Stream, chunk: bytes) -> None:
        while not self._ending:
            try:
                self._said.put((stream, chunk), timeout=_TICK_S)
                return
            except queue.Full:
                continue

    def _feed(self, pipe: IO[bytes], data: bytes) -> None:
        view = memoryview(data)
        with contextlib.suppress(OSError):  # it ended without reading all: its status says how
            while view and not self._ending:
                view = view[pipe.write(view[:_CHUNK]) :]
        if not self._hold:
            pipe.close()


_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(OSError):  # gone already; macOS: nothing but zombies is left in the group
        if sys.platform == "win32":
            process.terminate()
        else:
            os.killpg(process.pid, number)


def run_program(
    argv: Sequence[str],
    *,
    where: str,
    stdin: bytes | IO[bytes] | None = None,
    hold_stdin: bool = False,
    timeout_s: float = 60.0,
    silence_s: float | None = None,
    sink: Callable[[bytes], None] | None = None,
    limit_bytes: int = OUTPUT_LIMIT,
    env: Mapping[str, str] | None = None,
    watch: Callable[[], None] | None = None,
) -> Ended:
    """Run `argv` to its end. `sink` gets stdout as it comes (then `Ended.stdout` is empty), in the caller's thread.

    DeviceLost, naming `where`: no end within `timeout_s`, nothing said for `silence_s`. DeviceError: more than
    `limit_bytes` of stdout and stderr together. `watch` is called every ten seconds; what it raises ends the program,
    as does any other exception. OSError: it cannot be started.
    """
    kept: dict[Stream, list[bytes]] = {"stdout": [], "stderr": []}
    said_bytes = 0
    began = heard = watched = time.monotonic()
    with Client(argv, stdin=stdin, hold_stdin=hold_stdin, env=env) as client:
        while not client.finished():
            now = time.monotonic()
            if now - began > timeout_s:
                raise DeviceLost(f"{where}: no end after {timeout_s:g} s", hint=_SLOW)
            if silence_s is not None and now - heard > silence_s:
                raise DeviceLost(f"{where}: silent for {silence_s:g} s", hint=_SLOW)
            if watch is not None and now - watched > _WATCH_S:
                watch()
                watched = now
            said = client.listen(min(_TICK_S, timeout_s))
            if said is None:
                continue
            stream, chunk = said
            heard = time.monotonic()
            said_bytes += len(chunk)
            if said_bytes > limit_bytes:
                raise DeviceError(
                    f"{where}: more than {limit_bytes} bytes of output were sent",
                    hint="the program there does not behave as expected; nothing of its output was used",
                )
            if sink is not None and stream == "stdout":
                sink(chunk)
            else:
                kept[stream].append(chunk)
        return Ended(client.status(), b"".join(kept["stdout"]), b"".join(kept["stderr"]))


_SLOW = "the device may be stalled or asleep, or the link to it is gone: check both, then try again"
