"""`edgeshrink evaluate ARTIFACT --reference MODEL`: what compression broke, slice by slice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgeshrink.commands.options import json_option, request_of, show, strict_option
from edgeshrink.commands.suite_options import suite_options


@click.command("evaluate")
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "--reference",
    metavar="MODEL",
    help="The model that it was made from: a folder, a hub id or an unquantized GGUF. A build's folder knows its own "
    "where that was the demo model or one on the hub.",
)
@click.option(
    "--adapter",
    metavar="NAME|FILE",
    help="The pair with it, against the reference with it: a name in OUT/adapters, a file, or an adapter's folder.",
)
@suite_options
@click.option("--attribute", is_flag=True, help="Of each slice that lost: which tensors the loss comes from (GGUF).")
@click.option("--target", default="laptop-cpu", show_default=True, metavar="ID", help="See `edgeshrink targets`.")
@click.option("--profile", metavar="ID", help="Device profile whose quality floor judges; the target's default.")
@click.option("--context", type=click.IntRange(min=16), help="Longest items, in tokens. [default: up to 4096]")
@click.option("--threads", type=click.IntRange(min=1), help="Threads to run with; all physical cores when left out.")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Text that it was calibrated with, where that is not the one that ships: the suite is kept apart from it.",
)
@click.option("--offline", is_flag=True, help="Take a hub model from the local cache only.")
@click.option("--revision", metavar="REV", help="Commit or branch of a hub model; its newest when left out.")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Write the report there.")
@strict_option
@json_option
def command(
    artifact: Path,
    reference: str | None,
    adapter: str | None,
    attribute: bool,
    strict: bool,
    as_json: bool,
    **arguments: Any,
) -> int:
    """Run a behaviour suite on ARTIFACT (a .gguf, a folder of a .pte or ONNX build) in its own runtime.

    Every slice is compared with the unquantized reference on the same items, with a 95 % interval, and judged by the
    gates of the profile and of --gate. Exit codes: 0 every gate passes or is unknown, 1 a gate failed (--strict: or is
    unknown), 2 an error.
    """
    from edgeshrink.engine.evaluate import evaluate
    from edgeshrink.report.progress import ProgressBars

    request = request_of(reference, arguments)
    with ProgressBars(quiet=as_json) as listener:
        report = evaluate(artifact, request, attribute=attribute, adapter=adapter, listener=listener)
    if as_json:
        from edgeshrink.report.json import report_to_json

        click.echo(report_to_json(report).rstrip("\n"))
    else:
        from edgeshrink.report.terminal import render_report

        show(render_report(report))
    return report.verdict.exit_code(strict=strict)
