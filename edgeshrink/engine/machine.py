"""This machine: its calibration, taken once and kept with the store."""

from __future__ import annotations

from dataclasses import asdict

from edgeshrink.core.calibration import MachineCalibration
from edgeshrink.core.events import Listener
from edgeshrink.devices.local import host_facts
from edgeshrink.store import Store

_NOTE = "machine-calibration"


def known_calibration(store: Store) -> MachineCalibration | None:
    """The stored calibration of this host; None where there is none, or where it is another machine's."""
    note = store.notes.read(_NOTE)
    if note is None or note.get("host_id") != host_facts().id:
        return None
    try:
        return MachineCalibration(**note)
    except TypeError:
        return None


def calibrated(store: Store, listener: Listener, *, again: bool = False) -> MachineCalibration:
    """The stored calibration, or one taken now, in about ten seconds."""
    known = None if again else known_calibration(store)
    if known is not None:
        return known
    from edgeshrink.measure.calibrate import calibrate

    taken = calibrate(listener, scratch=store.root / "work")
    store.notes.write(_NOTE, asdict(taken))
    return taken
