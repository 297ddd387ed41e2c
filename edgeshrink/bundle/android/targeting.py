"""Which devices get the model from Play: those whose RAM holds it, by the Android device profiles.

Source: https://developer.android.com/google/play/on-device-ai, "Device targeting".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from xml.sax.saxutils import quoteattr

from edgeshrink.catalog.data import shipped_folder
from edgeshrink.catalog.toml import read_toml
from edgeshrink.core.bundle import BundleManifest
from edgeshrink.core.profile import DeviceProfile

_REPORTED_SHARE = 0.85
"""Of the RAM on the box, what a phone reports at least: Geekbench lists 6.91 GB for what is sold as 8
(https://www.gadgets360.com/mobiles/news/samsung-s24-ultra-geekbench-us-variant-snapdragon-8-gen-3-soc-listing-specifications-galaxy-4474936)."""
_SELECTORS_MAX = 5
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Selector:
    """Devices with at least `ram_bytes`, and with that chip where one is named."""

    ram_bytes: int
    manufacturer: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class DeviceGroup:
    """A device belongs to it where any of `selectors` takes it."""

    name: str
    selectors: tuple[Selector, ...]


def device_group(name: str, manifest: BundleManifest) -> DeviceGroup:
    """The devices that hold the model: any with enough RAM, and those whose profile says that it fits all the same.

    What an app may hold is a share of the RAM, as the profile of the build has it; of another kind of build, the
    smallest share of all Android profiles.
    """
    profiles = android_profiles()
    needs = manifest.memory_bytes or manifest.artifact_bytes
    own = [profile for profile in profiles if profile.id == manifest.plan.profile] or profiles
    scale = max(profile.facts.ram_bytes.value / profile.facts.app_ram_bytes.value for profile in own)
    enough = Selector(_megabytes(needs * scale))
    known = [
        Selector(_megabytes(profile.facts.ram_bytes.value), *soc.value.split("/", 1))
        for profile in profiles
        if (soc := profile.facts.soc) is not None
        and profile.facts.app_ram_bytes.value >= needs
        and (profile.budget.artifact_bytes_max or manifest.artifact_bytes) >= manifest.artifact_bytes
    ]
    return DeviceGroup(name, (*known[: _SELECTORS_MAX - 1], enough))


def to_xml(group: DeviceGroup) -> str:
    """device_targeting_config.xml."""
    lines = [
        '<config:device-targeting-config xmlns:config="http://schemas.android.com/apk/config">',
        "",
        f"    <config:device-group name={quoteattr(group.name)}>",
    ]
    for selector in group.selectors:
        start = f'        <config:device-selector ram-min-bytes="{selector.ram_bytes}"'
        if not selector.model:
            lines.append(f"{start}/>")
            continue
        chip = f"manufacturer={quoteattr(selector.manufacturer)} model={quoteattr(selector.model)}"
        lines += [f"{start}>", f"            <config:system-on-chip {chip}/>", "        </config:device-selector>"]
    lines += ["    </config:device-group>", "", "</config:device-targeting-config>", ""]
    return "\n".join(lines)


@cache
def android_profiles() -> tuple[DeviceProfile, ...]:
    """The shipped ones, by id: what a person keeps in the current folder must not change a bundle."""
    found = (read_toml(path, DeviceProfile) for path in sorted(shipped_folder("profiles").glob("*.toml")))
    return tuple(profile for profile in found if profile.family == "android")


def _megabytes(nominal: float) -> int:
    return math.ceil(nominal * _REPORTED_SHARE / _MB) * _MB
