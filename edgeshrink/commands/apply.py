"""`edgeshrink apply PATCH OLD`: the new build from the old one and a patch."""

from __future__ import annotations

from pathlib import Path

import click

from edgeshrink.commands.options import json_option, json_text, show

_PATH = click.Path(path_type=Path)


@click.command("apply")
@click.argument("patch", metavar="PATCH", type=_PATH)
@click.argument("old", metavar="OLD", type=_PATH)
@click.option("-o", "--out", "new", type=_PATH, metavar="NEW", help="Where the new build goes. [default: OLD's place]")
@click.option("--key", type=_PATH, metavar="PUBLIC", help="The .pub file of who should have signed the patch.")
@click.option("--unsigned", is_flag=True, help="Apply it whoever made it.")
@json_option
def command(patch: Path, old: Path, new: Path | None, key: Path | None, unsigned: bool, as_json: bool) -> int:
    """Make the new build of OLD; what PATCH was made from is checked first, every new byte while it is written.

    Killed at any moment, OLD is wholly the old build or wholly the new one.
    """
    from edgeshrink.engine.apply import apply
    from edgeshrink.report.progress import ProgressBars

    with ProgressBars(quiet=as_json) as listener:
        done = apply(patch, old, new, key=key, unsigned=unsigned, listener=listener)
    if as_json:
        click.echo(json_text(done))
        return 0
    from edgeshrink.report.delta_terminal import render_applied

    show(render_applied(done))
    return 0
