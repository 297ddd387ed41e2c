"""`edgeshrink delta OLD NEW`: the patch that makes one build from another."""

from __future__ import annotations

from pathlib import Path

import click

from edgeshrink.commands.options import json_option, json_text, show
from edgeshrink.commands.passphrases import passphrase_options, seal_of

_BUILD = click.Path(path_type=Path)


@click.command("delta")
@click.argument("old", metavar="OLD", type=_BUILD)
@click.argument("new", metavar="NEW", type=_BUILD)
@click.option("-o", "--out", "patch", type=_BUILD, metavar="PATCH", help="[default: NEW.edgeshrink-delta]")
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="PRIVATE",
    help="Sign with this key, into PATCH.sig; see `edgeshrink keys new`.",
)
@passphrase_options
@click.option("--signer", default="", metavar="NAME", help="Who signs, in your words; the key's name when left out.")
@json_option
def command(
    old: Path,
    new: Path,
    patch: Path | None,
    key: Path | None,
    ask_passphrase: bool,
    passphrase_file: Path | None,
    signer: str,
    as_json: bool,
) -> int:
    """Write what NEW has and OLD has not: two bundles, two build folders, or two artifact files of one kind.

    Tensors that did not change are not in the patch. Whoever has OLD makes NEW of it with `edgeshrink apply`.
    """
    from edgeshrink.engine.delta import delta
    from edgeshrink.report.progress import ProgressBars

    seal = seal_of(key, ask_passphrase, passphrase_file, signer)
    with ProgressBars(quiet=as_json) as listener:
        made = delta(old, new, patch, seal=seal, listener=listener)
    if as_json:
        click.echo(json_text(made))
        return 0
    from edgeshrink.report.delta_terminal import render_delta

    show(render_delta(made))
    return 0
