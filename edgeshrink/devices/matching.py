"""Is what answers the device that a profile describes? Decided by its own names, its cores and its RAM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from edgeshrink.catalog.profiles import THIS_MACHINE
from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.profile import DeviceProfile

_PROBED_HERE = "the profile was probed on this machine"
RAM_TOLERANCE = 0.15
"""A system shows up to this share less RAM than the data sheet says: firmware and GPU keep some."""


@dataclass(frozen=True, slots=True)
class Match:
    """Is it the profile's device? `why` says what decided; `differences` all in which it is not as the profile says."""

    is_device: bool
    why: str
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hardware:
    """What decides, of a probed device or of this host. 0: not known. `who` says it in a sentence."""

    who: str
    names: tuple[str, ...]
    cores: int
    ram_bytes: int
    features: tuple[str, ...]
    page_bytes: int
    emulation: str = ""
    is_here: bool = False
    """It is this very machine, the one that `this-machine` was probed on."""


def match(device: ProbedDevice, profile: DeviceProfile) -> Match:
    """Is the probed device the one that `profile` describes? An emulation of it says so among the differences."""
    return compare(_hardware(device), profile)


def best_profile(device: ProbedDevice, profiles: Sequence[DeviceProfile]) -> tuple[DeviceProfile, Match] | None:
    """The profile that names the device's hardware; of several, the one that it is, or differs least from."""
    seen = _hardware(device)
    named = [(profile, compare(seen, profile)) for profile in profiles if _named(seen, profile)]
    return min(named, key=lambda found: (not found[1].is_device, len(found[1].differences)), default=None)


def compare(seen: Hardware, profile: DeviceProfile) -> Match:
    """As `match`, of whatever was found out about the hardware."""
    if profile.id == THIS_MACHINE:
        return Match(seen.is_here, _PROBED_HERE if seen.is_here else f"{seen.who} is another machine")
    facts = profile.facts
    differences = _differences(seen, profile)
    if facts.hardware_model is None:
        why = f"{profile.id} names no hardware model to recognise {seen.who} by"
        return Match(False, why, differences)
    model = _named(seen, profile)
    if not model:
        it_is = seen.names[0] if seen.names else "without a model name"
        return Match(False, f"{seen.who} is {it_is}, not {profile.name}", differences)
    if seen.cores != facts.cores.value:
        return Match(False, f"{model} has {facts.cores.value} cores in the profile, {seen.cores} here", differences)
    if not _same_ram(seen, profile):
        expected, found = (f"{nbytes / 2**30:.1f} GiB" for nbytes in (int(facts.ram_bytes.value), seen.ram_bytes))
        return Match(False, f"{model} has {expected} in the profile, {found} here", differences)
    return Match(True, f"{seen.who} says it is {model}, with the profile's cores and RAM", differences)


def _hardware(device: ProbedDevice) -> Hardware:
    return Hardware(
        who="the device",
        names=device.names,
        cores=device.cores,
        ram_bytes=device.ram_bytes,
        features=device.cpu_features,
        page_bytes=device.page_bytes,
        emulation=device.emulation,
        is_here=device.address == "local",
    )


def _named(seen: Hardware, profile: DeviceProfile) -> str:
    """The first of the hardware's names that the profile knows; "" where it knows none."""
    wanted = profile.facts.hardware_model.value if profile.facts.hardware_model else ()
    return next((name for name in seen.names if any(fnmatchcase(name, pattern) for pattern in wanted)), "")


def _same_ram(seen: Hardware, profile: DeviceProfile) -> bool:
    expected = int(profile.facts.ram_bytes.value)
    return (1 - RAM_TOLERANCE) * expected <= seen.ram_bytes <= 1.01 * expected


def _differences(seen: Hardware, profile: DeviceProfile) -> tuple[str, ...]:
    facts = profile.facts
    found = []
    if seen.emulation:
        found.append(seen.emulation)
    if facts.hardware_model is not None and not _named(seen, profile):
        name, known = (seen.names or ("no name",))[0], " or ".join(facts.hardware_model.value)
        found.append(f"model: {name}, the profile says {known}")
    if seen.cores and seen.cores != facts.cores.value:
        found.append(f"cores: {seen.cores}, the profile says {facts.cores.value}")
    if seen.ram_bytes and not _same_ram(seen, profile):
        expected = int(facts.ram_bytes.value) / 2**30
        found.append(f"RAM: {seen.ram_bytes / 2**30:.1f} GiB, the profile says {expected:.1f} GiB")
    if seen.page_bytes and facts.page_bytes and seen.page_bytes != facts.page_bytes.value:
        found.append(f"pages: {seen.page_bytes} bytes, the profile says {facts.page_bytes.value}")
    if missing := [name for name in facts.isa_features.value if name not in seen.features]:
        found.append(f"CPU features: without {', '.join(missing)}, which the profile names")
    return tuple(found)
