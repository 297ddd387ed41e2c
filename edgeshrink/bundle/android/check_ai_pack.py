"""Whether a folder is a Play AI pack, by what Play publishes; knows nothing of how ours are written.

Source: https://developer.android.com/google/play/on-device-ai, "Extract your model into an AI pack" and "Device
targeting"; the elements of the XML are those of the Android Gradle Plugin's schema for it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from edgeshrink.core.plain import plain
from edgeshrink.errors import DataError

_PACK_BYTES_MAX: Final = 1_500_000_000
_DELIVERIES: Final = ("install-time", "fast-follow", "on-demand")
_SELECTORS_MAX, _DEVICES_MAX, _FEATURES_MAX = 5, 10_000, 100
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NAMESPACE = "{http://schemas.android.com/apk/config}"
_PROPERTIES: Final = {
    "included-device-id": ({"brand", "device"}, {"brand"}),
    "excluded-device-id": ({"brand", "device"}, {"brand"}),
    "required-system-feature": ({"name"}, {"name"}),
    "forbidden-system-feature": ({"name"}, {"name"}),
    "system-on-chip": ({"manufacturer", "model"}, {"manufacturer", "model"}),
}
"""Element -> its attributes, and those that it must have."""
_CODE: Final = (".so", ".dex", ".jar", ".java", ".kt", ".class", ".aar")
_TEXT_MAX = 1 << 20


def check_ai_pack(pack: Path, config: Path | None = None) -> None:
    """DataError names everything that is wrong with the module `pack` and the device groups in `config`."""
    wrong: list[str] = []
    groups = _groups(config, wrong) if config is not None else ()
    _check_script(pack, wrong)
    _check_assets(pack, groups, wrong)
    if wrong:
        raise DataError(f"{pack} is no AI pack that Play takes: {'; '.join(wrong)}")


def _check_script(pack: Path, wrong: list[str]) -> None:
    script = next((pack / n for n in ("build.gradle.kts", "build.gradle") if (pack / n).is_file()), None)
    if script is None:
        wrong.append("it has no build.gradle")
        return
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", _text(script), flags=re.DOTALL)
    if not re.search(r"id\s*\(?\s*[\"']com\.android\.ai-pack[\"']", text):
        wrong.append("its build script does not apply com.android.ai-pack")
    names = re.findall(r"packName\s*=\s*[\"']([^\"']*)[\"']", text)
    if names != [pack.name]:
        wrong.append(f"packName is {plain(', '.join(names)) or 'not said'}, the folder's name is {plain(pack.name)}")
    if not _NAME.fullmatch(pack.name):
        wrong.append("a pack's name begins with a letter and has letters, digits and _")
    deliveries = re.findall(r"deliveryType\s*=\s*[\"']([^\"']*)[\"']", text)
    if len(deliveries) != 1 or deliveries[0] not in _DELIVERIES:
        wrong.append(
            f"deliveryType is {plain(', '.join(deliveries)) or 'not said'}, not one of {', '.join(_DELIVERIES)}"
        )


def _check_assets(pack: Path, groups: tuple[str, ...], wrong: list[str]) -> None:
    assets = pack / "src" / "main" / "assets"
    for path in sorted(pack.rglob("*")):
        if path.is_symlink():
            wrong.append(f"{_shown(path, pack)} is a link")
        elif path.is_file() and path.suffix.lower() in _CODE:
            wrong.append(f"{_shown(path, pack)} is code, which no pack may hold")
    tops = [path for path in sorted(assets.iterdir()) if not path.is_symlink()] if assets.is_dir() else []
    if not any(path.is_file() for top in tops for path in (top, *top.rglob("*"))):
        wrong.append("there is no file in src/main/assets")
    sizes: dict[str, int] = {}
    for top in tops:
        folder, _, suffix = top.name.partition("#")
        if folder != pack.name or not top.is_dir():
            wrong.append(f"{_shown(top, pack)} is not named after the pack: another module may have the same path")
        group = suffix.removeprefix("group_")
        if suffix and (not suffix.startswith("group_") or not _NAME.fullmatch(group)):
            wrong.append(f"{_shown(top, pack)} has a suffix other than #group_NAME")
        elif suffix and group != "other" and group not in groups:
            wrong.append(f"{_shown(top, pack)} is for a device group that is not defined")
        sizes[group] = sum(path.stat().st_size for path in top.rglob("*") if path.is_file())
        if any("#" in path.name for path in top.rglob("*")):
            wrong.append(f"{_shown(top, pack)} has a # below it")
    for group, nbytes in sizes.items():
        if nbytes > _PACK_BYTES_MAX:
            of = f" for {group}" if group else ""
            wrong.append(f"the pack{of} has {nbytes} bytes, Play takes {_PACK_BYTES_MAX}")


def _groups(config: Path, wrong: list[str]) -> tuple[str, ...]:
    """Names of the device groups, in their order."""
    text = _text(config)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise DataError(f"{config} declares a document type, which no such file needs")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DataError(f"{config} is no XML: {error}") from error
    if root.tag != f"{_NAMESPACE}device-targeting-config":
        wrong.append(f"{config.name} has another root than device-targeting-config, or another namespace")
        return ()
    names: list[str] = []
    for group in root:
        name = group.get("name", "")
        if group.tag != f"{_NAMESPACE}device-group":
            wrong.append(f"{config.name} has {plain(group.tag)} where a device-group belongs")
        elif not _NAME.fullmatch(name) or name == "other" or name in names:
            wrong.append(f"{config.name}: {plain(name)!r} is no name for a group, or is taken")
        else:
            names.append(name)
            _check_group(name, group, wrong)
    return tuple(names)


def _check_group(name: str, group: ElementTree.Element, wrong: list[str]) -> None:
    if not 1 <= len(group) <= _SELECTORS_MAX:
        wrong.append(f"group {name} has {len(group)} selectors, 1 to {_SELECTORS_MAX} are allowed")
    kinds = [one.tag.removeprefix(_NAMESPACE) for selector in group for one in selector]
    for ending, most in (("device-id", _DEVICES_MAX), ("system-feature", _FEATURES_MAX)):
        if sum(kind.endswith(ending) for kind in kinds) > most:
            wrong.append(f"group {name} has more than {most} of {ending}")
    for selector in group:
        if selector.tag != f"{_NAMESPACE}device-selector":
            wrong.append(f"group {name} has {plain(selector.tag)} where a device-selector belongs")
            continue
        _check_selector(name, selector, wrong)


def _check_selector(name: str, selector: ElementTree.Element, wrong: list[str]) -> None:
    if not selector.attrib and not len(selector):
        wrong.append(f"a selector of group {name} has no property")
    if others := set(selector.attrib) - {"ram-min-bytes", "ram-max-bytes"}:
        wrong.append(f"a selector of group {name} has {plain(', '.join(sorted(others)))}")
    ram = [selector.get("ram-min-bytes", "0"), selector.get("ram-max-bytes", str(1 << 62))]
    if not all(re.fullmatch(r"\d{1,19}", value) for value in ram) or int(ram[0]) >= int(ram[1]):
        wrong.append(f"a selector of group {name} has no sound RAM bounds")
    for one in selector:
        allowed, needed = _PROPERTIES.get(one.tag.removeprefix(_NAMESPACE), (set(), set()))
        if not allowed or not one.tag.startswith(_NAMESPACE):
            wrong.append(f"a selector of group {name} has {plain(one.tag)}")
        elif not needed <= {key for key, value in one.attrib.items() if value} or not set(one.attrib) <= allowed:
            wrong.append(f"{one.tag.removeprefix(_NAMESPACE)} of group {name} has other attributes than it should")


def _text(path: Path) -> str:
    if path.stat().st_size > _TEXT_MAX:
        raise DataError(f"{path} is too large for what it should be")
    return path.read_text(encoding="utf-8", errors="replace")


def _shown(path: Path, pack: Path) -> str:
    return plain(path.relative_to(pack).as_posix())
