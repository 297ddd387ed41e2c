"""Ten seconds that tell how fast this machine is. Predictions for it stand on what they found."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgeshrink.core.calibration import MachineCalibration
from edgeshrink.core.events import Listener, Progress
from edgeshrink.devices.cpu import default_threads, last_level_cache
from edgeshrink.devices.local import host_facts
from edgeshrink.errors import NoSpace
from edgeshrink.measure.calibration_job import LAYERS
from edgeshrink.measure.cpu_use import TOO_BUSY_TO_SPIN, machine_is_busy
from edgeshrink.runtimes.child import run_job

UNKNOWN_CACHE_BYTES = 8 << 20
"""Taken for the last-level cache where the system does not tell: a usual size for phones and laptops."""
_ROOM_BYTES = 800_000_000
_STAGES = 5.0
_JOB = "edgeshrink.measure.calibration_job:run"


def calibrate(listener: Listener, *, scratch: Path) -> MachineCalibration:
    """Measure this machine with all its physical cores; takes ten seconds and up to 0.7 GB in `scratch` meanwhile.

    `others_cpu_share` of the result says how busy the machine was with something else: above 0.1 the speeds are those
    that are left on a busy machine. NoSpace where `scratch` has no room; RuntimeFailed where the runtime dies.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(scratch).free < _ROOM_BYTES:
        raise NoSpace(
            f"{scratch}: calibrating needs {_ROOM_BYTES / 1e9:.1f} GB for a moment", hint="free some disk space"
        )
    cache_bytes, _ = last_level_cache()
    threads = default_threads()
    listener(Progress("calibrate this machine", 0, _STAGES, "stages"))

    def watch(event: dict[str, object]) -> None:
        listener(Progress("calibrate this machine", float(str(event["done"])), _STAGES, "stages"))

    with tempfile.TemporaryDirectory(prefix="calibrate-", dir=scratch) as folder:
        parameters = {"scratch": folder, "threads": threads, "cache_bytes": cache_bytes or UNKNOWN_CACHE_BYTES}
        spin = not machine_is_busy()
        speeds: dict[str, Any] = run_job(_JOB, parameters, on_event=watch, spin=spin)
        if spin and speeds["others_cpu_share"] > TOO_BUSY_TO_SPIN:
            speeds = run_job(_JOB, parameters, on_event=watch, spin=False)
    listener(Progress("calibrate this machine", _STAGES, _STAGES, "stages"))
    return MachineCalibration(
        host_id=host_facts().id,
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        threads=threads,
        cache_bytes=cache_bytes or UNKNOWN_CACHE_BYTES,
        overhead_layers=LAYERS,
        **{name: float(value) for name, value in speeds.items()},
    )
