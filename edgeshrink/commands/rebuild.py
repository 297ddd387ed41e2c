"""`edgeshrink rebuild BUNDLE`: make it again, byte for byte."""

from __future__ import annotations

from pathlib import Path

import click

from edgeshrink.commands.options import json_option, show

_PATH = click.Path(path_type=Path, exists=True)


@click.command("rebuild")
@click.argument("manifest", type=_PATH)
@click.option("--model", metavar="MODEL", help="The source model, where the bundle was made of a folder or a file.")
@click.option("--calibration", type=_PATH, metavar="PATH", help="The text or samples that it was calibrated with.")
@click.option("--imatrix", type=_PATH, metavar="FILE", help="The importance matrix that it was made with.")
@click.option("--runner", type=_PATH, metavar="FILE", help="The native runner; the bundle's own when left out.")
@click.option("--python", type=_PATH, metavar="FOLDER", help="Jetson: the Python that was brought along.")
@click.option("--wheels", type=_PATH, metavar="FOLDER", help="Jetson: the wheels for it.")
@click.option("--offline", is_flag=True, help="Take a hub model from the local cache only.")
@json_option
def command(
    manifest: Path,
    model: str | None,
    calibration: Path | None,
    imatrix: Path | None,
    runner: Path | None,
    python: Path | None,
    wheels: Path | None,
    offline: bool,
    as_json: bool,
) -> int:
    """Make the bundle of MANIFEST (its folder or its bundle.json) again from what its lock pins, and compare all bytes.

    Measurements are taken from the bundle; the signature is not compared. Exit codes: 0 the same bytes, 1 a file
    differs (each is named, with the first byte that does), 2 an error.
    """
    from edgeshrink.engine.rebuild import Inputs, rebuild
    from edgeshrink.report.progress import ProgressBars

    inputs = Inputs(model, calibration, imatrix, runner, python, wheels, offline)
    with ProgressBars(quiet=as_json) as listener:
        done = rebuild(manifest, inputs, listener=listener)
    if as_json:
        from edgeshrink.core.values import to_json

        click.echo(to_json(done).rstrip("\n"))
    else:
        from edgeshrink.report.bundle_terminal import render_rebuilt

        show(render_rebuilt(done))
    return 0 if done.identical else 1
