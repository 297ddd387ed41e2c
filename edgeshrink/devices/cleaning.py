"""Taking all of ours off a device when a person asks for it: kept files, and what sessions left behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeshrink.devices.leftovers import clean_leftovers, in_use
from edgeshrink.devices.places import find_ours
from edgeshrink.devices.removal import is_kept, is_ours, remove, remove_kept
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.errors import DeviceError, DeviceLost


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was done at `address`. `stays`: a sentence for each folder of ours that could not or must not be removed."""

    address: str
    removed: tuple[str, ...]
    freed_bytes: int
    stays: tuple[str, ...]


def clean_device(transport: Transport, leftovers: Path) -> Cleaned:
    """Remove the kept files and what ended sessions left, this computer's and others'. DeviceError while a session of
    this computer uses the device; DeviceLost where the link breaks.

    What another computer's session may be using (it has been used within a day) stays.
    """
    if in_use(leftovers, transport.address):
        raise DeviceError(
            f"{transport.address}: a session with it is running: nothing was removed",
            hint="wait for its end, then clean again",
        )
    before = find_ours(transport)
    stays = list(clean_leftovers(transport, leftovers))
    noted_gone = {found.path for found in before} - {found.path for found in find_ours(transport)}
    removed = [found for found in before if found.path in noted_gone]
    for found in before:
        if found.path in noted_gone:
            continue
        if is_kept(found.path) or (is_ours(found.path) and found.is_old):
            try:
                (remove_kept if is_kept(found.path) else remove)(transport, found.path)
                removed.append(found)
            except DeviceLost:
                raise
            except DeviceError as error:
                stays.append(error.message)
        elif is_ours(found.path):
            stays.append(f"{transport.address}: {found.path} stays: used within a day, maybe by another computer")
    return Cleaned(
        address=str(transport.address),
        removed=tuple(found.path for found in removed),
        freed_bytes=sum(found.nbytes or 0 for found in removed),
        stays=tuple(dict.fromkeys(stays)),
    )
