"""This machine: its calibration, taken once and kept with the store."""

from __future__ import annotations

from dataclasses import asdict

from filelock import FileLock

from edgeshrink.core.calibration import MachineCalibration
from edgeshrink.core.events import Listener
from edgeshrink.devices.local import host_facts
from edgeshrink.store import Store, store_root
from edgeshrink.store.notes import Notes

_NOTE = "machine-calibration"
BUSY_SHARE = 0.1


def known_calibration(notes: Notes | None = None) -> MachineCalibration | None:
    """The stored calibration of this host; None where there is none, or where it is another machine's.

    Reads only: a store that is not there yet is not made.
    """
    note = (notes or Notes(store_root() / "notes")).read(_NOTE)
    if note is None or note.get("host_id") != host_facts().id:
        return None
    try:
        return MachineCalibration(**note)
    except TypeError:
        return None


def calibrated(store: Store, listener: Listener, *, again: bool = False) -> MachineCalibration:
    """The stored calibration, or one taken now, in about ten seconds. Two builds at once do not time each other."""
    if not again and (known := known_calibration(store.notes)):
        return known
    from edgeshrink.measure.calibrate import calibrate

    with FileLock(store.root / "locks" / "calibration.lock"):
        if not again and (known := known_calibration(store.notes)):
            return known
        taken = calibrate(listener, scratch=store.root / "work")
        store.notes.write(_NOTE, asdict(taken))
    return taken
