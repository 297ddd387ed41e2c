"""`edgeshrink devices`: what is attached, and which device profile each matches."""

from __future__ import annotations

import click

from edgeshrink.commands.options import json_option, json_text, show
from edgeshrink.core.device import Address
from edgeshrink.errors import UsageError


@click.command("devices")
@click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="DEVICE",
    help="local, adb:SERIAL or ssh:[USER@]HOST[:PORT]; when left out, this machine and what adb lists.",
)
@click.option(
    "--save", is_flag=True, help="Write a draft profile of the one named device, its memory bandwidth timed there."
)
@click.option("--replace", is_flag=True, help="With --save: write over a profile of that name.")
@click.option(
    "--clean", is_flag=True, help="Remove from the named devices what --keep left there, and what broken sessions did."
)
@json_option
def command(devices: tuple[str, ...], save: bool, replace: bool, clean: bool, as_json: bool) -> int:
    """List the attached devices: what each is, which profile it matches and how it differs from it.

    Devices over ssh are not searched for: name them with --device.
    """
    from edgeshrink.engine.fleet import addresses_of

    addresses = addresses_of(devices) if devices else ()
    if clean:
        if save or not addresses:
            raise UsageError("--clean cleans the devices that are named", hint="name one: --device adb:SERIAL --clean")
        return _clean(addresses, as_json=as_json)
    if save:
        if len(addresses) != 1:
            raise UsageError("--save writes the profile of one device", hint="name it: --device adb:SERIAL --save")
        return _save(str(addresses[0]), replace=replace)
    from edgeshrink.engine.devices import list_devices

    rows = list_devices(addresses)
    if as_json:
        from edgeshrink.report.json import devices_to_json

        click.echo(devices_to_json(rows).rstrip("\n"))
    else:
        from edgeshrink.report.devices_table import render_devices

        show(render_devices(rows))
    return 2 if devices and any(row.error for row in rows) else 0


def _clean(addresses: tuple[Address, ...], *, as_json: bool) -> int:
    from edgeshrink.engine.devices import clean_devices
    from edgeshrink.report.format import human_bytes, plain
    from edgeshrink.report.progress import ProgressBars

    with ProgressBars(quiet=as_json) as listener:
        cleaned = clean_devices(addresses, listener)
    if as_json:
        click.echo(json_text(cleaned))
        return 0
    for device in cleaned:
        gone = f"removed {', '.join(device.removed)}: {human_bytes(device.freed_bytes)} freed"
        click.echo(plain(f"{device.address}: {gone if device.removed else 'there was nothing to remove'}"))
        for sentence in device.stays:
            click.echo(plain(sentence))
    return 0


def _save(address: str, *, replace: bool) -> int:
    from edgeshrink.core.device import parse_address
    from edgeshrink.engine.devices import save_profile
    from edgeshrink.report.progress import ProgressBars

    with ProgressBars(quiet=False) as listener:
        saved = save_profile(parse_address(address), replace=replace, listener=listener)
    click.echo(f"{saved.path}: reads memory at {saved.bandwidth_bytes_s / 1e9:.1f} GB/s")
    click.echo(f"  look at its budget, then: edgeshrink build --profile {saved.id} --device {address}")
    return 0
