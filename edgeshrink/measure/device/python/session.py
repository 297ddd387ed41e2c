"""Measure an ONNX model or a .pte on an attached device, through the runtime's Python package there."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.plain import plain
from edgeshrink.core.session import SessionOptions
from edgeshrink.devices.device_state import device_state
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.devices.workspace import open_workspace
from edgeshrink.errors import DeviceError
from edgeshrink.measure.device.bringing import bring
from edgeshrink.measure.device.cool_down import cool_down
from edgeshrink.measure.device.python.answers import Answers
from edgeshrink.measure.device.python.interpreter import ready_interpreter
from edgeshrink.measure.device.python.package import write_package
from edgeshrink.measure.files import sha256_of

_SESSION_S = 3600.0
_SILENCE_S = 600.0
_RESULT_BYTES = 32 << 20
_QUOTED = 600
_QUIET = ("PYTHONDONTWRITEBYTECODE=1", "ORT_DISABLE_TELEMETRY=1")
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

    `python` names an interpreter on the device; see `ready_interpreter`. DeviceError, DeviceLost, NoSpace,
    RuntimeFailed. Of `options`, depths, a sustained run and unmapped weights are the native runner's alone.
    """
    with open_workspace(transport, keep=options.keep, leftovers=leftovers, listener=listener) as workspace:
        interpreter = ready_interpreter(workspace, device, runtime, given=python, confirm=confirm)
        with tempfile.TemporaryDirectory(prefix="edgeshrink-") as scratch:
            package, digest = write_package(Path(scratch))
            there = workspace.put(package, sha256=digest, name=package.name, listener=listener)
            asked = {
                "artifact": bring(workspace, artifact, listener),
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
        notes = cool_down(options.cool_down, lambda: device_state(transport).temperature_c, listener)
        task = f"measure {artifact.name} on {device.address}"
        answers = Answers(device, task, sha256=sha256, runtime=runtime, listener=listener)
        # What the session and its libraries write is to go with the workspace.
        within = ("env", f"TMPDIR={workspace.folder}", f"XDG_CACHE_HOME={workspace.folder}/cache", *_QUIET)
        done = workspace.run(
            (*within, interpreter, "-P", "-X", "utf8", "-c", _START, there, asked_there),
            hold_stdin=True,
            timeout_s=_SESSION_S,
            silence_s=_SILENCE_S,
            on_line=answers,
            limit_bytes=_RESULT_BYTES,
        )
    if answers.measured is None:
        said = " / ".join(plain(line.strip()) for line in done.stderr.strip().splitlines()[-3:])
        raise DeviceError(
            f"{device.address}: the session ended with exit status {done.status} before it was done",
            hint=said[-_QUOTED:] or "it said nothing",
        )
    behind = (workspace.left_behind,) if workspace.left_behind else ()
    said_notes = (*notes, *answers.measured.notes, *_not_done(options, network), *behind)
    return replace(answers.measured, device=device, notes=said_notes)


def _not_done(options: SessionOptions, network: bool) -> tuple[str, ...]:
    """What was asked for and is not in such a session."""
    asked = (("--depths", options.depths), ("--sustain", options.sustain_s), ("--no-mmap", not options.mapped))
    left_out = [flag for flag, wish in asked if wish] + (["--prompt-tokens"] * bool(network and options.prompt_tokens))
    return (f"without {', '.join(left_out)}: sessions of GGUF files have it",) if left_out else ()
