"""Work in a process of its own: a crash of native code is an error here, never the end of edgeshrink.

The child is a fresh interpreter with the parent's `sys.path`. The request goes in as one JSON line on stdin; events,
then a result or an error, come back as JSON lines on the child's own copy of stdout, while file descriptor 1 is its
stderr, so library chatter cannot corrupt the stream. stdin stays open: when it ends, the parent is gone, and so is
the child. Nothing here forks, so it is the same on Linux, macOS and Windows.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from io import FileIO
from pathlib import Path
from typing import IO, Any, cast

import edgeshrink.errors
from edgeshrink.errors import RuntimeFailed
from edgeshrink.runtimes.quiet import QUIET

Event = dict[str, object]
Job = Callable[[dict[str, Any], Callable[[Event], None]], dict[str, object]]

_BOOTSTRAP = (
    "import json, sys; request = json.loads(sys.stdin.buffer.readline()); sys.path[:] = request['path']; "
    "from edgeshrink.runtimes.child import serve; serve(request['job'], request['parameters'])"
)
_STDERR_LINES = 200
_QUOTED_LINES = 12
_POLL_S = 0.2
_STOP_S = 5.0


def _ignore(_: Event) -> None:
    """Nobody watches."""


def run_job(
    job: str,
    parameters: Mapping[str, object],
    *,
    on_event: Callable[[Event], None] = _ignore,
    timeout_s: float | None = None,
    spin: bool = False,
    log: Path | None = None,
    stop: threading.Event | None = None,
    stop_s: float = 5.0,
) -> dict[str, object]:
    """Call `job` ("module:function", `fn(parameters, emit) -> dict`) in a fresh process and return what it returns.

    Everything that crosses is JSON. An edgeshrink error in the child is raised here as itself; any other exception,
    a crash, a signal, an early exit or `timeout_s` is RuntimeFailed with the end of the child's stderr. Whatever
    happens here meanwhile (Ctrl-C, an exception in `on_event`), the child is stopped and waited for first.

    `spin` lets OpenMP threads wait for each other in busy loops, as they do in an app: decode is about twice as fast
    on an idle machine, which is what measuring is about. On a busy one each wait can last a scheduler's time slice
    (seen: 10 times slower in batches), so every other job sleeps while it waits. An OMP_WAIT_POLICY of the user's wins.

    `stop`, once set by another thread, ends it as Ctrl-C does. The child has `stop_s` to leave before it is killed.

    `log`: all that the child and its libraries print, native code too, is appended to that file; errors name it.
    """
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
    polite = {} if spin else {"OMP_WAIT_POLICY": "passive"}
    process = subprocess.Popen(
        [sys.executable, "-P", "-X", "utf8", "-c", _BOOTSTRAP],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**QUIET, **polite, **os.environ, "GGML_NO_BACKTRACE": "1"},
    )
    stdin, stdout, stderr = (cast(IO[bytes], pipe) for pipe in (process.stdin, process.stdout, process.stderr))
    words = _Words(stderr, log)
    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    readers = (words, threading.Thread(target=_drain_lines, args=(stdout, lines), daemon=True))
    try:
        for reader in readers:
            reader.start()
        request = {"path": [entry or os.getcwd() for entry in sys.path], "job": job, "parameters": dict(parameters)}  # noqa: PTH109
        with contextlib.suppress(OSError):  # it died at once: what follows says how
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
        return _listen(process, lines, words, job, on_event, timeout_s, stop)
    finally:
        _stop(process, stop_s)
        for reader in readers:
            reader.join(_STOP_S)
        for pipe in (stdin, stdout, stderr):
            _close(pipe)


def _listen(
    process: subprocess.Popen[bytes],
    lines: queue.SimpleQueue[bytes | None],
    words: _Words,
    job: str,
    on_event: Callable[[Event], None],
    timeout_s: float | None,
    stop: threading.Event | None,
) -> dict[str, object]:
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        if stop is not None and stop.is_set():
            raise KeyboardInterrupt
        if deadline is not None and time.monotonic() > deadline:
            raise RuntimeFailed(f"{job} did not finish in {timeout_s:g} s", hint=words.quote())
        try:
            # A wait without an end cannot be interrupted by Ctrl-C on Windows.
            line = lines.get(timeout=_POLL_S)
        except queue.Empty:
            continue
        if line is None:
            break
        message = json.loads(line)
        if "event" in message:
            on_event(message["event"])
        elif "error" in message:
            raise _rebuild(message["error"], job, words.log)
        else:
            return cast(dict[str, object], message["result"])
    try:
        code = process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        raise RuntimeFailed(f"{job} closed its channel and did not exit", hint=words.quote()) from None
    raise RuntimeFailed(f"{job} {_ending(code)} before it was done", hint=words.quote())


def _ending(code: int) -> str:
    if code < 0:
        try:
            return f"died of {signal.Signals(-code).name}"
        except ValueError:
            return f"died of signal {-code}"
    return f"exited with code {code}" if code < 0x80000000 else f"crashed with code 0x{code:08x}"


class _Words(threading.Thread):
    """Reads the child's stderr to its end, so that it never blocks on a full pipe, into `log`; keeps the last lines."""

    def __init__(self, pipe: IO[bytes], log: Path | None) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self.log = log
        self._kept: deque[str] = deque(maxlen=_STDERR_LINES)

    def run(self) -> None:
        with contextlib.nullcontext() if self.log is None else self.log.open("ab", buffering=0) as file:
            for line in self._pipe:
                self._kept.append(line.decode("utf-8", "replace").rstrip())
                if file is not None:
                    file = _written(file, line)

    def quote(self) -> str:
        """The last lines, for a person; of a process that has ended, all that it said is in by then."""
        self.join(_POLL_S)
        said = [line for line in tuple(self._kept) if line.strip()][-_QUOTED_LINES:]
        words = "it said last:\n" + "\n".join(said) if said else "it said nothing"
        return words if self.log is None else f"{words}\n{_all_of_it(self.log)}"


def _all_of_it(log: Path) -> str:
    return f"all that it said: {log}"


def _written(file: FileIO, line: bytes) -> FileIO | None:
    """The file to go on with: None when the disk takes no more, for the job is worth more than its log."""
    try:
        file.write(line)
    except OSError:
        return None
    return file


def _rebuild(error: Mapping[str, str], job: str, log: Path | None) -> Exception:
    kind = getattr(edgeshrink.errors, error["type"], None)
    if isinstance(kind, type) and issubclass(kind, edgeshrink.errors.Error):
        return kind(error["message"], hint=error["hint"])
    hint = error["hint"] if log is None else f"{error['hint']}\n{_all_of_it(log)}"
    return RuntimeFailed(f"{job} failed: {error['type']}: {error['message']}", hint=hint)


def _drain_lines(pipe: IO[bytes], lines: queue.SimpleQueue[bytes | None]) -> None:
    for line in pipe:
        lines.put(line)
    lines.put(None)


def _stop(process: subprocess.Popen[bytes], patience_s: float) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _close(pipe: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # unsent bytes to a process that is gone
        pipe.close()


def serve(job: str, parameters: dict[str, Any]) -> None:
    """The child's side: run the job, and leave."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=leave_with_parent, daemon=True).start()
    from edgeshrink.runtimes.log import tail

    tail.echo = True
    lock = threading.Lock()

    def send(message: Mapping[str, object]) -> None:
        line = json.dumps(message) + "\n"
        with lock:
            channel.write(line)
            channel.flush()

    try:
        module, _, name = job.partition(":")
        function: Job = getattr(importlib.import_module(module), name)
        result = function(parameters, lambda event: send({"event": event}))
        send({"result": result})
    except edgeshrink.errors.Error as error:
        send({"error": {"type": type(error).__name__, "message": error.message, "hint": error.hint}})
    except BrokenPipeError:
        os._exit(1)  # nobody listens any more
    except Exception as error:
        traceback.print_exc()
        text = "".join(traceback.format_exception(error)[-3:]).strip()
        send({"error": {"type": type(error).__name__, "message": str(error), "hint": text}})
    # Native libraries have threads and destructors that can crash or hang at exit; the result is already out.
    channel.flush()
    sys.stderr.flush()
    os._exit(0)


def leave_with_parent() -> None:
    """End this process as soon as stdin does, which its parent holds open: a thread's work."""
    while os.read(0, 4096):
        pass
    os._exit(1)
