"""Which distributions a runtime stands on, from their metadata: nothing is imported."""

from __future__ import annotations

from edgeshrink.catalog.requirements import installed_version
from edgeshrink.errors import ToolMissing


def build_of(extra: str, *distributions: tuple[str, ...]) -> str:
    """ "name-version+name-version" of what is installed; each entry lists the names that one library comes under.

    ToolMissing names the first that is not there, and the extra of edgeshrink that brings it.
    """
    return "+".join(f"{name}-{version}" for name, version in versions_of(extra, *distributions))


def versions_of(extra: str, *distributions: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """(name, version) of what is installed, in the order given. Errors as `build_of`."""
    found = []
    for names in distributions:
        there = [(name, version) for name in names if (version := installed_version(name))]
        if not there:
            raise missing(extra, f"{names[0]} is not installed")
        found.append(there[0])
    return tuple(found)


def missing(extra: str, what: str) -> ToolMissing:
    """ToolMissing with the pip command."""
    return ToolMissing(what, hint=f"pip install 'edgeshrink[{extra}]'")
