"""What a device is known by again: the same over whatever link, another where other hardware answers."""

from __future__ import annotations

import hashlib


def device_id(
    *, system: str, machine: str, cpu: str, cores: int, ram_bytes: int, features: tuple[str, ...], serial: str
) -> str:
    """16 hexadecimal digits. `cores` counts those that are switched off, too: a power mode makes no other device."""
    # A kernel update moves the visible RAM by some MiB: that is the same hardware.
    identity = (system, machine, cpu, cores, round(ram_bytes / 2**28), features, serial)
    return hashlib.sha256(repr(("edgeshrink host", *identity)).encode("utf-8", "replace")).hexdigest()[:16]
