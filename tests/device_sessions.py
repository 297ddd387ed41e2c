"""Short sessions on the lab's devices, and small files in place of the runner for what it never does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from built_runners import ready_runner

from edgeshrink.core.device import parse_address
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.session import SessionOptions
from edgeshrink.devices.transports.registry import open_transport
from edgeshrink.measure.device import sampling
from edgeshrink.measure.device.session import measure_on_device
from edgeshrink.toolchain.runner.build import BuiltRunner

Session = Callable[..., Measurements]
QUICK = SessionOptions(decode_tokens=20, idle_s=0.5)


def hold_session(
    address: str, artifact: Path, leftovers: Path, *, runner: BuiltRunner | None = None, **changes: Any
) -> Measurements:
    """A few tokens, one thread; `changes` are arguments of `measure_on_device`. The link is closed at the end."""
    sources = changes.get("power_sources", ())
    arguments: dict[str, Any] = {
        "sha256": hashlib.sha256(artifact.read_bytes()).hexdigest(),
        "context": 128,
        "threads": 1,
        "prompt_tokens": (8,),
        "options": QUICK,
        "leftovers": leftovers,
    }
    runner = runner or ready_runner("native" if address == "local" else "arm64-dotprod")
    with closing(open_transport(parse_address(address))) as transport:
        probe = transport.probe(sampling.globs(sources), sampling.commands(sources))
        return measure_on_device(transport, probe, runner, artifact, **(arguments | changes))


def stand_in(folder: Path, script: str) -> BuiltRunner:
    """A shell script where the runner is expected: it gets the runner's arguments."""
    file = folder / "stand-in"
    file.write_text(f"#!/bin/sh\n{script}\n")
    return replace(ready_runner("native"), path=file)
