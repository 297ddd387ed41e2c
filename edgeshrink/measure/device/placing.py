"""Bring the runner, an artifact and the text for prompts into a workspace on the device."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from edgeshrink.core.device import Address
from edgeshrink.core.events import Listener
from edgeshrink.devices.workspace import Workspace
from edgeshrink.measure.cpu_use import machine_is_busy
from edgeshrink.measure.files import sha256_of
from edgeshrink.measure.prompts import shipped_text
from edgeshrink.toolchain.runner.build import BuiltRunner

# Of one file where the program can do that: all others' bytes are none of a session's business.
_SYNC = 'sync "$1" 2>/dev/null || fsync "$1" 2>/dev/null || sync'
_SYNC_S = 600.0
POLITE = ("env", "OMP_WAIT_POLICY=passive")


def starter(address: Address) -> tuple[str, ...]:
    """What the runner is started through: `POLITE` where this machine itself is measured and is busy, else nothing.

    The runner for this machine is linked to the installed llama.cpp, whose OpenMP threads wait for each other in busy
    loops: beside other programs each wait can last a scheduler's time slice. An OMP_WAIT_POLICY of the user's wins.
    """
    mine = address.kind == "local" and "OMP_WAIT_POLICY" not in os.environ
    return POLITE if mine and machine_is_busy() else ()


def put_runner(workspace: Workspace, runner: BuiltRunner, listener: Listener) -> str:
    """Its path on the device. NoSpace, DeviceLost, DeviceError, as for the others here."""
    return workspace.put(
        runner.path, sha256=sha256_of(runner.path), name="edgeshrink-runner", executable=True, listener=listener
    )


def put_artifact(workspace: Workspace, artifact: Path, sha256: str, name: str, listener: Listener) -> str:
    """Its bytes are in the storage then: none are written while the device rests or is timed."""
    there = workspace.put(artifact, sha256=sha256, name=name, listener=listener)
    workspace.run(("sh", "-c", _SYNC, "sh", there), timeout_s=_SYNC_S)
    return there


def put_text(workspace: Workspace, tokens: int, listener: Listener) -> str:
    """The shipped text, long enough for prompts of `tokens`; "" where there is none."""
    data = shipped_text(tokens).encode()
    if not data:
        return ""
    with tempfile.TemporaryDirectory(prefix="edgeshrink-text-") as folder:
        file = Path(folder) / "prompt.txt"
        file.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        return workspace.put(file, sha256=digest, name="prompt.txt", listener=listener)
