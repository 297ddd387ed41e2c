"""Jobs one after another in one child process: what takes seconds to import is imported once for many small jobs.

The jobs are the real ones; only that each has a process of its own, which tests/unit/runtimes proves, is left out.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

import pytest

from edgeshrink import errors
from edgeshrink.errors import RuntimeFailed
from edgeshrink.export.executorch import inspect as executorch_inspect
from edgeshrink.export.executorch import language as executorch_language
from edgeshrink.export.executorch import network as executorch_network
from edgeshrink.export.onnx import inspect as onnx_inspect
from edgeshrink.export.onnx import language as onnx_language
from edgeshrink.runtimes import child

_BOOTSTRAP = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from one_process import serve; serve()"
Event = dict[str, object]

_EXPORTERS = (
    executorch_inspect,
    executorch_language,
    executorch_network,
    onnx_inspect,
    onnx_language,
)


class OneProcess:
    """`run_job` has the arguments of `edgeshrink.runtimes.child.run_job` that exporters use. To be closed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-X", "utf8", "-c", _BOOTSTRAP, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def run_job(
        self,
        job: str,
        parameters: Mapping[str, object],
        *,
        on_event: Callable[[Event], None] = lambda _: None,
        log: Path | None = None,
    ) -> Event:
        stdin, stdout = (cast(IO[bytes], pipe) for pipe in (self._process.stdin, self._process.stdout))
        request = {"job": job, "parameters": dict(parameters), "log": None if log is None else str(log)}
        stdin.write(json.dumps(request).encode() + b"\n")
        stdin.flush()
        for line in stdout:
            message = json.loads(line)
            if "event" in message:
                on_event(message["event"])
            elif "result" in message:
                return cast(Event, message["result"])
            else:
                kind = getattr(errors, message["type"], RuntimeFailed)
                raise kind(message["message"], hint=message["hint"])
        raise RuntimeFailed(f"the process died in {job}")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    @contextlib.contextmanager
    def for_exporters(self) -> Iterator[None]:
        """Whatever they run meanwhile, they run here."""
        with pytest.MonkeyPatch.context() as patch:
            for module in _EXPORTERS:
                patch.setattr(module, "run_job", self.run_job)
            yield


def serve() -> None:
    """The child's side, until nobody asks any more."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")

    def send(message: Mapping[str, object]) -> None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    for line in sys.stdin:
        request = json.loads(line)
        log = os.open(request["log"] or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        send(_answer(request, send))


def _answer(request: dict[str, Any], send: Callable[[Mapping[str, object]], None]) -> Mapping[str, object]:
    module, _, name = request["job"].partition(":")
    try:
        job: child.Job = getattr(importlib.import_module(module), name)
        return {"result": job(request["parameters"], lambda event: send({"event": event}))}
    except errors.Error as error:
        return {"type": type(error).__name__, "message": error.message, "hint": error.hint}
    except Exception as error:
        traceback.print_exc()
        text = f"{request['job']} failed: {type(error).__name__}: {error}"
        return {"type": "RuntimeFailed", "message": text, "hint": ""}
