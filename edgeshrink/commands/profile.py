"""`edgeshrink profile FILE`: measure a file on this machine and judge it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgeshrink.commands.options import json_option, request_of, show, strict_option, target_options


@click.command("profile")
@click.argument("file", type=click.Path(path_type=Path))
@target_options
@click.option("--delegate", metavar="NAME", help="Backend to run with; the CPU's when left out.")
@click.option("--gpu-layers", type=click.IntRange(min=0), default=0, show_default=True, help="Layers to offload.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads to run with; all physical cores when left out.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Write report.json and report.html."
)
@click.option(
    "--remeasure", is_flag=True, help="Measure anew, although a stored session of this build and host exists."
)
@strict_option
@json_option
def command(file: Path, strict: bool, as_json: bool, **arguments: Any) -> int:
    """Measure FILE (a GGUF, .pte or .onnx, quantized ones too; or a folder of one) and judge it by the budget."""
    from edgeshrink.engine.profile import profile
    from edgeshrink.report.progress import ProgressBars

    with ProgressBars(quiet=as_json) as listener:
        report = profile(file, request_of(None, arguments), listener=listener)
    if as_json:
        from edgeshrink.report.json import report_to_json

        click.echo(report_to_json(report).rstrip("\n"))
    else:
        from edgeshrink.report.terminal import render_report

        show(render_report(report))
    return report.verdict.exit_code(strict=strict)
