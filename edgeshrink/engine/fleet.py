"""One artifact on several devices at once: each session in a process of its own, so that one cannot hurt another."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import edgeshrink
from edgeshrink.core.device import Address, parse_address
from edgeshrink.core.events import NOTICE, Listener, Progress, silent
from edgeshrink.core.report import DEVICES_SCHEMA, DeviceOutcome, DeviceSessions
from edgeshrink.core.request import Request
from edgeshrink.core.values import from_json_text, to_json
from edgeshrink.devices.transports.adb import attached as adb_devices
from edgeshrink.engine.profile import profile
from edgeshrink.engine.summary import report_code
from edgeshrink.errors import Error, UsageError
from edgeshrink.report.json import report_from_json, report_to_json
from edgeshrink.runtimes.child import run_job

ALL = "all"
_CLEAN_UP_S = 60.0
"""What a session may take to leave its device clean after Ctrl-C, before its process is killed."""


def addresses_of(names: Sequence[str]) -> tuple[Address, ...]:
    """`all`: every device that adb lists; else what is named, commas allowed. UsageError where there is none."""
    words = [word for name in names for word in name.split(",") if word]
    if not words:
        raise UsageError("--device names no device", hint="see `edgeshrink devices`")
    if ALL not in words:
        return tuple(dict.fromkeys(parse_address(word) for word in words))
    named = [parse_address(word) for word in words if word != ALL]
    listed = [Address("adb", serial) for serial, _ in adb_devices()]
    if not named and not listed:
        raise UsageError(
            "no device is attached",
            hint="plug in a phone with USB debugging on, or name a device: --device ssh:USER@HOST",
        )
    return tuple(dict.fromkeys((*listed, *named)))


def profile_on_devices(
    artifact: Path, request: Request, addresses: Sequence[Address], *, yes: bool = False, listener: Listener = silent
) -> DeviceSessions:
    """Every device's session at the same time. One that fails says why, and the others' results stand.

    Each writes its report to a folder of its own below `request.out`, where that is given.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=len(addresses)) as pool:
        running = [pool.submit(_outcome, artifact, request, address, yes, stop, listener) for address in addresses]
        try:
            outcomes = tuple(future.result() for future in running)
        except BaseException:
            stop.set()  # leaving the pool waits for every session to clean its device up
            raise
    return DeviceSessions(DEVICES_SCHEMA, edgeshrink.__version__, artifact.name, outcomes)


def _outcome(
    artifact: Path, request: Request, address: Address, yes: bool, stop: threading.Event, listener: Listener
) -> DeviceOutcome:
    out = None if request.out is None else request.out / folder_of(address)
    one = replace(request, device=str(address), out=out)

    def tell(event: dict[str, Any]) -> None:
        # A notice names its device itself.
        task = event["task"] if event["unit"] == NOTICE else f"{address}: {event['task']}"
        listener(Progress(task, event["done"], event["total"], event["unit"]))

    parameters = {"artifact": str(artifact), "request": to_json(one), "yes": yes}
    try:
        done = run_job("edgeshrink.engine.fleet:session_job", parameters, on_event=tell, stop=stop, stop_s=_CLEAN_UP_S)
    except Error as error:
        return DeviceOutcome(str(address), None, f"{error.message} ({error.hint})" if error.hint else error.message)
    report = report_from_json(str(done["report"]))
    return DeviceOutcome(str(address), replace(report, folder=out), "")


def folder_of(address: Address) -> str:
    """A folder name that any file system takes: `adb-0A1B2C`, `ssh-me-jetson-2222`."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in str(address))


def session_job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """In the child: one device's session. Being told to stop is Ctrl-C here, so that the device is left clean."""
    signal.signal(signal.SIGTERM, _stop_once)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a closed terminal reaches the whole group; the parent decides
    request = from_json_text(Request, parameters["request"])

    def tell(progress: Progress) -> None:
        emit({"task": progress.task, "done": progress.done, "total": progress.total, "unit": progress.unit})

    def may_install(_question: str) -> bool:
        return bool(parameters["yes"])

    return {
        "report": report_to_json(profile(Path(parameters["artifact"]), request, listener=tell, may_install=may_install))
    }


def _stop_once(number: int, _: FrameType | None) -> None:
    """The parent's word, and before it perhaps that of whoever told the whole group: one clean-up, not cut short."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def exit_code(sessions: DeviceSessions, *, strict: bool = False) -> int:
    """2: a device had an error, or its session ended early; else 1: a line failed on one; else 0."""
    return max(2 if entry.report is None else report_code(entry.report, strict=strict) for entry in sessions.outcomes)
