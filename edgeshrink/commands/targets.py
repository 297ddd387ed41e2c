"""`edgeshrink targets`: targets and device profiles, each with its budget."""

from __future__ import annotations

from typing import Any

import click

from edgeshrink.catalog.data import display_path
from edgeshrink.catalog.entries import Entry
from edgeshrink.catalog.profiles import profile_entries
from edgeshrink.catalog.targets import target_entries
from edgeshrink.commands.options import json_option, json_text, show
from edgeshrink.core.listing import BrokenFile, ProfileRow, TargetRow, TargetsListing
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.devices.local import this_machine
from edgeshrink.errors import DataError


@click.command("targets")
@json_option
def command(as_json: bool) -> int:
    """List the targets and the device profiles, each with its budget."""
    from edgeshrink.report.targets_table import render_targets

    listing = targets()
    if as_json:
        click.echo(json_text(listing))
    else:
        show(render_targets(listing))
    return 0


def targets() -> TargetsListing:
    """Every target and profile that can be used, and every file that cannot be."""
    target_files, profile_files = target_entries(), profile_entries()
    target_rows = tuple(
        TargetRow(
            id=target.id,
            name=target.name,
            family=target.family,
            default_profile=target.default_profile,
            formats=tuple((name, entry.preferred_scheme) for name, entry in target.formats.items()),
            origin=file.origin,
        )
        for file in target_files
        if (target := file.value) is not None
    )
    rows = [_row(file.value, file.origin, display_path(file.path)) for file in profile_files if file.value is not None]
    files: tuple[Entry[Any], ...] = (*target_files, *profile_files)
    broken = [BrokenFile(file.id, display_path(file.path), file.problem) for file in files if file.value is None]
    try:
        rows.append(_row(this_machine(), "probed", ""))
    except DataError as error:
        # Its budget is a file too, and that one may be broken.
        broken.append(BrokenFile("this-machine", "", error.message))
    rows.sort(key=lambda row: (row.family, row.origin != "probed", row.id))
    return TargetsListing(target_rows, tuple(rows), tuple(broken))


def _row(profile: DeviceProfile, origin: str, file: str) -> ProfileRow:
    return ProfileRow(
        id=profile.id,
        name=profile.name,
        family=profile.family,
        preferred_target=profile.preferred_target,
        origin=origin,
        file=file,
        ram_bytes=int(profile.facts.ram_bytes.value),
        app_ram_bytes=int(profile.facts.app_ram_bytes.value),
        budget=profile.budget,
    )
