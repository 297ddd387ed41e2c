"""Measure an ONNX model or a .pte on an attached device, through the runtime's Python package there."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

import edgeshrink.errors
from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.plain import plain
from edgeshrink.core.session import SessionOptions
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.devices.workspace import Workspace, open_workspace
from edgeshrink.errors import DeviceError, Error
from edgeshrink.measure.device.python.interpreter import ready_interpreter
from edgeshrink.measure.device.python.package import write_package
from edgeshrink.measure.files import artifact_files, sha256_of

_SESSION_S = 3600.0
_SILENCE_S = 600.0
_RESULT_BYTES = 32 << 20
_START = (
    "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); "
    "from edgeshrink.measure.device.python.job import main; main(Path(sys.argv[2]))"
)


def measure_in_python(
    transport: Transport,
    device: ProbedDevice,
    artifact: Path,
    *,
    sha256: str,
    runtime: str,
    network: bool,
    delegate: str,
    context: int,
    threads: int | None,
    prompt_tokens: tuple[int, ...],
    power_sources: tuple[str, ...],
    options: SessionOptions,
    python: str | None,
    confirm: Callable[[str], bool],
    leftovers: Path,
    listener: Listener = silent,
) -> Measurements:
    """One session of `artifact` (a file or a folder) there. The interpreter and its libraries are in its RAM figures.

    `python` names an interpreter on the device; see `ready_interpreter`. DeviceError, RuntimeFailed.
    """
    with open_workspace(transport, keep=options.keep, leftovers=leftovers) as workspace:
        interpreter = ready_interpreter(workspace, device, runtime, given=python, confirm=confirm)
        with tempfile.TemporaryDirectory(prefix="edgeshrink-") as scratch:
            package, digest = write_package(Path(scratch))
            there = workspace.put(package, sha256=digest, name=package.name, listener=listener)
            asked = {
                "artifact": _bring(workspace, artifact, listener),
                "sha256": sha256,
                "runtime": runtime,
                "network": network,
                "delegate": delegate,
                "context": context,
                "threads": threads,
                "prompt_tokens": list(prompt_tokens),
                "decode_tokens": options.decode_tokens,
                "repetitions": options.repetitions,
                "power_sources": list(power_sources),
            }
            request = Path(scratch) / "request.json"
            request.write_text(json.dumps(asked), encoding="utf-8")
            asked_there = workspace.put(request, sha256=sha256_of(request), name="request.json")
        heard = _Heard(device, artifact.name, listener)
        done = workspace.run(
            (interpreter, "-P", "-X", "utf8", "-c", _START, there, asked_there),
            hold_stdin=True,
            timeout_s=_SESSION_S,
            silence_s=_SILENCE_S,
            on_line=heard,
            limit_bytes=_RESULT_BYTES,
        )
        if heard.measured is None:
            said = " / ".join(plain(line) for line in done.stderr.strip().splitlines()[-3:])
            raise DeviceError(
                f"{device.address}: the session ended with exit status {done.status} before it was done",
                hint=said or "it said nothing",
            )
    return replace(heard.measured, device=device)


def _bring(workspace: Workspace, artifact: Path, listener: Listener) -> str:
    """Every file of the artifact, under its own name; a folder's files lie together in the workspace's `model`."""
    files = artifact_files(artifact)
    places = [
        workspace.put(
            file,
            sha256=sha256_of(file),
            name=artifact.name if artifact.is_file() else f"model/{file.relative_to(artifact).as_posix()}",
            listener=listener,
        )
        for file in files
    ]
    return places[0] if artifact.is_file() else f"{workspace.folder}/model"


class _Heard:
    """Takes the job's lines one by one; what a device says is checked, never trusted."""

    def __init__(self, device: ProbedDevice, name: str, listener: Listener) -> None:
        self.measured: Measurements | None = None
        self._device = device
        self._task = f"measure {name}"
        self._listener = listener

    def __call__(self, line: str) -> None:
        try:
            message: dict[str, Any] = json.loads(line)
            if "progress" in message:
                done, total, unit = message["progress"]
                self._listener(Progress(self._task, float(done), float(total), plain(str(unit))))
            elif "measurements" in message:
                self.measured = TypeAdapter(Measurements).validate_python(message["measurements"])
            elif "error" in message:
                raise _rebuilt(message)
        except (ValueError, ValidationError, TypeError, KeyError, AttributeError) as error:
            raise DeviceError(
                f"{self._device.address}: the session's answer is not what it must be: {plain(line[:80])}"
            ) from error


def _rebuilt(message: dict[str, Any]) -> Error:
    kind = getattr(edgeshrink.errors, str(message["error"]), None)
    known = kind if isinstance(kind, type) and issubclass(kind, Error) else DeviceError
    return known(plain(str(message["message"])), hint=plain(str(message["hint"])))
