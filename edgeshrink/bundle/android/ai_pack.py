"""The Play AI pack: a module that holds nothing but the bundle's files, for the devices that can run the model."""

from __future__ import annotations

from typing import Final

from edgeshrink.bundle.android.check_ai_pack import check_ai_pack
from edgeshrink.bundle.android.naming import Names
from edgeshrink.bundle.android.targeting import DeviceGroup, device_group, to_xml
from edgeshrink.bundle.android.templates import filled
from edgeshrink.bundle.cargo import Cargo
from edgeshrink.core.bundle import BundleManifest, Delivery

_FOLDER = "android/ai-pack"
CONFIG: Final = "device_targeting_config.xml"


def group_of(names: Names, manifest: BundleManifest) -> DeviceGroup:
    return device_group(f"{names.module}_devices", manifest)


def write_ai_pack(cargo: Cargo, names: Names, delivery: Delivery) -> None:
    """Write `android/ai-pack/<pack>` and the device groups beside it, and check both as Play would.

    The folder of the files is named after the pack: bundletool wants one path to hold the same bytes in all modules.
    """
    pack, group = names.module, group_of(names, cargo.manifest)
    cargo.write(
        f"{_FOLDER}/{pack}/build.gradle.kts", filled("ai-pack", "build.gradle.kts", pack=pack, delivery=delivery)
    )
    for name in cargo.files:
        cargo.lay(name, f"{_FOLDER}/{pack}/src/main/assets/{pack}#group_{group.name}/{name}")
    config = cargo.write(f"{_FOLDER}/{CONFIG}", to_xml(group))
    check_ai_pack(cargo.folder / _FOLDER / pack, config)
