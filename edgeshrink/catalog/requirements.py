"""What this package says it was tested with, and what is installed: from metadata alone, nothing is imported.

The extras of pyproject.toml pin exact versions: together they are the combination that the tests ran with.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import InvalidVersion

from edgeshrink.catalog.data import checkout_folder
from edgeshrink.errors import ToolMissing

SKIPPED_EXTRAS = ("test", "all")
"""`test` is for contributors, `all` only names the others."""
_OURSELVES = "edgeshrink"
# Builds of one library for other hardware, which take its place.
_OTHER_BUILDS = {
    "onnxruntime": ("onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-silicon"),
    "onnxruntime-genai": ("onnxruntime-genai-cuda", "onnxruntime-genai-directml"),
}


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """One requirement. `installed` is "" where it is not installed; `extra` is "" for the light core."""

    name: str
    tested: str
    installed: str
    extra: str
    fits: bool


def requirements() -> tuple[InstalledPackage, ...]:
    """Every requirement of the light core, with the installed versions."""
    core, _ = _declared()
    return tuple(_look(text, "") for text in core)


def extras() -> tuple[str, ...]:
    """The extras that a person may install, in the order they are declared."""
    return tuple(name for name in _declared()[1] if name not in SKIPPED_EXTRAS)


def extra_requirements(extra: str) -> tuple[InstalledPackage, ...]:
    """Every requirement of one extra, those of the extras that it names first."""
    return tuple(_look(text, extra) for text in _expanded(extra, _declared()[1]))


def check_extra(extra: str) -> tuple[str, ...]:
    """Notes, one for each package of the extra whose version is not the tested one; ToolMissing if one is not there."""
    packages = extra_requirements(extra)
    missing = [package.name for package in packages if not package.installed]
    if missing:
        raise ToolMissing(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed",
            hint=f"pip install '{_OURSELVES}[{extra}]'",
        )
    return tuple(
        f"built with {package.name} {package.installed}; tested was {package.tested}"
        for package in packages
        if not package.fits
    )


def pinned(names: Iterable[str]) -> tuple[str, ...]:
    """The requirements of those names as this package declares them, core or extra ("onnxruntime==1.31.1")."""
    core, extras = _declared()
    texts = {Requirement(text).name: text for text in (*core, *(text for group in extras.values() for text in group))}
    return tuple(texts[name] for name in names)


def installed_version(name: str) -> str:
    """The installed version of a distribution; "" where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _expanded(extra: str, declared: dict[str, list[str]]) -> dict[str, None]:
    """The extra's requirements without repetition, in order, where it names another extra of ours those of that one."""
    found: dict[str, None] = {}
    for text in declared[extra]:
        requirement = Requirement(text)
        if requirement.name == _OURSELVES:
            for named in sorted(requirement.extras):
                found.update(_expanded(named, declared))
        else:
            found[text] = None
    return found


def _look(text: str, extra: str) -> InstalledPackage:
    requirement = Requirement(text)
    names = (requirement.name, *_OTHER_BUILDS.get(requirement.name, ()))
    installed = next((version for name in names if (version := installed_version(name))), "")
    try:
        fits = bool(installed) and requirement.specifier.contains(installed, prereleases=True)
    except InvalidVersion:
        fits = False
    return InstalledPackage(requirement.name, str(requirement.specifier), installed, extra, fits)


def _declared() -> tuple[Iterable[str], dict[str, list[str]]]:
    """From the checkout's pyproject.toml where there is one (an editable install's metadata may be old)."""
    checkout = checkout_folder()
    if checkout is not None:
        project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return project["dependencies"], project.get("optional-dependencies", {})
    core: list[str] = []
    extras: dict[str, list[str]] = {}
    for text in metadata.requires(_OURSELVES) or ():
        requirement, _, marker = text.partition(";")
        name = marker.partition("==")[2].strip(" '\"") if "extra" in marker else ""
        (extras.setdefault(name, []) if name else core).append(requirement.strip())
    return core, extras
