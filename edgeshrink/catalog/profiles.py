"""Device profiles by id: `profiles/<id>.toml`, the person's own before the shipped ones."""

from __future__ import annotations

from edgeshrink.catalog.entries import Entry, entries, load_entry
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.errors import DataError

THIS_MACHINE = "this-machine"
"""The profile that no file holds: devices.local probes it."""


def load_profile(profile_id: str) -> DeviceProfile:
    """The profile of that id. DataError: unknown (lists the known ones), or its file is wrong (file, key, expected).

    `this-machine` is no file; see `devices.local.this_machine`.
    """
    if profile_id == THIS_MACHINE:
        raise DataError(f"{THIS_MACHINE} is probed, not read from a file", hint="devices.local.this_machine() makes it")
    return load_entry("profiles", DeviceProfile, profile_id, also_known=(THIS_MACHINE,))


def load_profiles() -> tuple[DeviceProfile, ...]:
    """Every readable profile, by family and id; a broken file is left out (see `profile_entries`)."""
    found = [entry.value for entry in profile_entries() if entry.value is not None]
    return tuple(sorted(found, key=lambda profile: (profile.family, profile.id)))


def profile_entries() -> tuple[Entry[DeviceProfile], ...]:
    """Every profile that was found, the broken ones with what is wrong with them."""
    return entries("profiles", DeviceProfile)
