"""The verb `devices`: what is attached, which profile each matches; a profile drafted for one, and one made clean."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from edgeshrink.catalog.profiles import load_profiles
from edgeshrink.core.device import Address
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.listing import ListedDevice
from edgeshrink.devices.cleaning import Cleaned, clean_device
from edgeshrink.devices.draft import draft_profile, profile_id
from edgeshrink.devices.matching import best_profile
from edgeshrink.devices.transports.adb import attached as adb_devices
from edgeshrink.devices.transports.adb import not_ready
from edgeshrink.engine.attached import attached, leftovers_folder, linked
from edgeshrink.engine.runners import runner_for
from edgeshrink.errors import Error, UsageError
from edgeshrink.measure.device.bandwidth import bandwidth_on_device

_AT_ONCE = 16


def list_devices(named: Sequence[Address] = ()) -> tuple[ListedDevice, ...]:
    """This machine, what adb lists, or else the devices that are `named`; asked side by side.

    One that does not answer says why. Nobody is waited for: a phone that has not allowed this computer says that.
    """
    asks_adb = not named or any(address.kind == "adb" for address in named)
    states = dict(adb_devices()) if asks_adb else {}
    addresses = named or (Address("local"), *(Address("adb", serial) for serial in states))
    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, len(addresses))) as pool:
        return tuple(pool.map(lambda address: _listed(address, states.get(address.name, "device")), addresses))


def _listed(address: Address, state: str) -> ListedDevice:
    """`state`: what adb says of it; "device" where it is another's or adb does not list it (yet)."""
    if address.kind == "adb" and (why := not_ready(state)):
        return ListedDevice(str(address), None, why, "", "", "", ())
    try:
        with attached(address) as device:
            probed = device.device
    except Error as error:
        said = f"{error.message} ({error.hint})" if error.hint else error.message
        return ListedDevice(str(address), None, said, "", "", "", ())
    known = best_profile(probed, load_profiles())
    if known is None:
        return ListedDevice(str(address), probed, "", "", "", "no profile names this hardware", ())
    profile, match = known
    return ListedDevice(str(address), probed, "", profile.id, profile.name, match.why, match.differences)


def clean_devices(addresses: Sequence[Address], listener: Listener = silent) -> tuple[Cleaned, ...]:
    """Remove what --keep left on each device and what sessions had to leave there. DeviceError, DeviceLost."""
    return tuple(_cleaned(address, listener) for address in addresses)


def _cleaned(address: Address, listener: Listener) -> Cleaned:
    with linked(address, listener) as transport:
        return clean_device(transport, leftovers_folder())


@dataclass(frozen=True, slots=True)
class SavedProfile:
    """A profile that was drafted from a probe: review its budget before judging by it."""

    id: str
    path: Path
    bandwidth_bytes_s: float


def save_profile(address: Address, *, replace: bool = False, listener: Listener = silent) -> SavedProfile:
    """Probe the device, time how fast it reads memory, and write `<id>.toml` where the person's own profiles lie."""
    with attached(address, listener) as device:
        name = profile_id(device.device)
        folder = platformdirs.user_config_path("edgeshrink", appauthor=False) / "profiles"
        file = folder / f"{name}.toml"
        if file.exists() and not replace:
            raise UsageError(f"{file} is there already", hint="--replace writes it anew; edit or rename it to keep it")
        runner = runner_for(device.device, device.transport, gpu=False, listener=listener)
        bandwidth = bandwidth_on_device(
            device.transport, runner, threads=device.device.cores, leftovers=leftovers_folder(), listener=listener
        )
        text = draft_profile(device.device, bandwidth)
    folder.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)
    return SavedProfile(name, file, bandwidth)
