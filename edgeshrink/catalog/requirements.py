"""What this package says it was tested with, and what is installed: from metadata alone, nothing is imported."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import InvalidVersion

from edgeshrink.catalog.data import checkout_folder

SKIPPED_EXTRAS = ("test", "all")
"""`test` is for contributors, `all` only names the others."""


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """One requirement. `installed` is "" where it is not installed; `extra` is "" for the light core."""

    name: str
    tested: str
    installed: str
    extra: str
    fits: bool


def requirements() -> tuple[InstalledPackage, ...]:
    """Every requirement of the light core, then those of the extras, with the installed versions."""
    core, extras = _declared()
    found = [_look(text, "") for text in core]
    for extra, texts in extras.items():
        if extra not in SKIPPED_EXTRAS:
            found += [_look(text, extra) for text in texts]
    return tuple(found)


def installed_version(name: str) -> str:
    """The installed version of a distribution; "" where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _look(text: str, extra: str) -> InstalledPackage:
    requirement = Requirement(text)
    installed = installed_version(requirement.name)
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
    for text in metadata.requires("edgeshrink") or ():
        requirement, _, marker = text.partition(";")
        name = marker.partition("==")[2].strip(" '\"") if "extra" in marker else ""
        (extras.setdefault(name, []) if name else core).append(requirement.strip())
    return core, extras
