"""README.md of the bundle: the lines that a developer pastes, for the parts that are there."""

from __future__ import annotations

from edgeshrink.bundle.android.ai_pack import group_of
from edgeshrink.bundle.android.naming import Names
from edgeshrink.bundle.android.parts import no_compress
from edgeshrink.bundle.android.targeting import DeviceGroup
from edgeshrink.bundle.android.templates import filled, kotlin_list
from edgeshrink.bundle.cargo import Cargo
from edgeshrink.core.bundle import BundleOptions, Engine

_PACKAGING = "\n    packaging { jniLibs { useLegacyPackaging = true } }         // the runner is extracted"


def write_readme(cargo: Cargo, names: Names, parts: tuple[str, ...], options: BundleOptions) -> None:
    manifest, group = cargo.manifest, group_of(names, cargo.manifest)
    values = {
        "name": names.artifact,
        "version": names.version,
        "format": manifest.format,
        "engine": _engine(manifest.engine),
        "project": manifest.engine.project,
        "package": manifest.engine.package,
        "engine_version": manifest.engine.version,
        "group": names.group,
        "min_sdk": names.min_sdk,
        "module": names.module,
        "pack": names.module,
        "device_group": group.name,
        "delivery": options.delivery,
        "targeting": _sentence(group),
        "no_compress": kotlin_list(no_compress(manifest)),
        "packaging": _PACKAGING if options.runner else "",
        "runner": filled("readme", "runner.md") if options.runner else "",
    }
    sections = ("head", *parts, "api")
    cargo.write("README.md", "".join(filled("readme", f"{part}.md", **values) for part in sections))


def _sentence(group: DeviceGroup) -> str:
    chips = [
        f"{one.manufacturer} {one.model} from {one.ram_bytes / 1e9:.1f} GB" for one in group.selectors if one.model
    ]
    least = group.selectors[-1].ram_bytes / 1e9
    known = f", and of known chips: {', '.join(chips)}" if chips else ""
    alone = " To reach those alone, take the selector without a chip out." if chips else ""
    return f"The group takes devices that report {least:.1f} GB of RAM or more{known}.{alone}"


def _engine(engine: Engine) -> str:
    """The version is the package's, which is not always called as the project is."""
    return engine.project if engine.package == engine.project else f"{engine.project}, as of {engine.package}"
