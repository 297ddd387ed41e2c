"""What an exported XCTest measured on an iPhone or iPad, read from its file: the native runner's lines, and a word
on the device."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from edgeshrink.core.device import Battery, ProbedDevice
from edgeshrink.core.measurement import HostState, Measurements
from edgeshrink.core.plain import plain
from edgeshrink.core.reading import Unmeasured
from edgeshrink.errors import DataError
from edgeshrink.measure.device.events import Described, End, Hello
from edgeshrink.measure.device.record import Record, read_events
from edgeshrink.measure.device.sampling import Sampled
from edgeshrink.measure.device.schedule import Schedule
from edgeshrink.measure.device.telling import Seen, measurements

LARGEST = 64 << 20
_NOT_SHOWN = Unmeasured("iOS does not show it to an app")
_NO_POWER = "iOS shows an app no power; Xcode's Power Profiler does"


def read_result(file: Path, *, sha256: str, nbytes: int) -> Measurements:
    """The measurements in `file`. DataError where it is no result, DeviceError where a line is not what it must be.

    `sha256` and `nbytes` are the artifact's.
    """
    with file.open(encoding="utf-8", errors="replace") as stream:
        record = read_events(stream, plain(str(file)))
    described = record.first(Described)
    hello = record.first(Hello)
    if hello is None or hello.plan is None or described is None:
        hint = "the test writes it, and names it edgeshrink-result.jsonl"
        if not record.events:
            hint = "it ends before its first line does: run the test again, and copy the file when it has ended"
        raise DataError(f"{file} is no result of a measuring test", hint=hint)
    if hello.artifact and hello.artifact != sha256:
        raise DataError(f"{file} was measured with another model", hint="name the GGUF that the test was written for")
    device = _device(described, file)
    seen = Seen(
        device=device,
        taken_at=datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="seconds"),
        before=_state(described),
        after=_state(record.all(Described)[-1]),
        loads=None,
        bench=record,
        sampled=Sampled(_NO_POWER, (), ()),
        lines=(),
        gpu=Unmeasured("iOS counts the GPU's share in the footprint"),
        parity=Unmeasured("a measuring test does not decode greedily for comparison"),
        partial="" if record.first(End) else "the test did not come to its end",
        notes=_notes(described, record),
    )
    plan = Schedule(
        lengths=hello.plan.prompt_tokens,
        depths=hello.plan.depths,
        decode_tokens=hello.plan.decode_tokens,
        repetitions=hello.plan.repetitions,
        sustain_s=0.0,
        idle_s=0.0,
        window_s=0.0,
    )
    context = hello.plan.context
    return measurements(seen, plan, plan.lengths, sha256=sha256, nbytes=nbytes, context=context, threads=0, long=False)


def _device(said: Described, file: Path) -> ProbedDevice:
    identity = repr(("edgeshrink imported", said.system, said.model, said.ram_bytes, said.cores))
    battery = Battery(said.battery_status, said.battery_percent) if said.battery_status else None
    return ProbedDevice(
        address=f"imported:{file.name}",
        id=hashlib.sha256(identity.encode()).hexdigest()[:16],
        system="darwin",
        os=f"{said.system} {said.os}",
        kernel="",
        machine="arm64",
        libc="libSystem",
        names=(said.model,),
        cpu="",
        clusters=(),
        cores=said.cores,
        cpu_features=(),
        ram_bytes=said.ram_bytes,
        available_bytes=0,
        page_bytes=said.page_bytes,
        battery=battery,
        emulation="iOS simulator" if said.simulator else "",
        unread=("available RAM: not shown to an app",),
    )


def _state(said: Described) -> HostState:
    return HostState(
        load_1min=_NOT_SHOWN,
        available_ram_bytes=_NOT_SHOWN,
        governor="unknown: iOS shows none",
        frequency_mhz=_NOT_SHOWN,
        temperature_c=Unmeasured(f"iOS shows no degrees; its thermal state was {said.thermal}"),
    )


def _notes(first: Described, record: Record) -> tuple[str, ...]:
    last = record.all(Described)[-1]
    notes = [
        "memory is the physical footprint, which iOS limits an app by: clean pages of the mapped file are not in it"
    ]
    if first.thermal != last.thermal:
        notes.append(f"the thermal state went from {first.thermal} to {last.thermal}")
    if first.low_power_mode:
        notes.append("Low Power Mode was on: it is slower than without")
    if first.battery_status not in ("", "Discharging"):
        notes.append("the device was charging")
    return tuple(notes)
