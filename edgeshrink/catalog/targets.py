"""Targets by id: `targets/<id>/target.toml`, the person's own before the shipped ones."""

from __future__ import annotations

from edgeshrink.catalog.entries import Entry, entries, load_entry
from edgeshrink.core.target import Target


def load_target(target_id: str) -> Target:
    """The target of that id. DataError: unknown (lists the known ones), or its file is wrong (file, key, expected)."""
    return load_entry("targets", Target, target_id)


def load_targets() -> tuple[Target, ...]:
    """Every readable target, by id; a broken file is left out (see `target_entries`)."""
    return tuple(entry.value for entry in target_entries() if entry.value is not None)


def target_entries() -> tuple[Entry[Target], ...]:
    """Every target that was found, the broken ones with what is wrong with them."""
    return entries("targets", Target)
