"""`edgeshrink build MODEL`: take a model to a measured, judged file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click
from click.core import ParameterSource

from edgeshrink.commands.device_options import refuse_without_device, session_options, taken_options
from edgeshrink.commands.options import (
    asker,
    json_option,
    model_options,
    request_of,
    show,
    strict_option,
    target_options,
    yes_option,
)
from edgeshrink.commands.suite_options import suite_options
from edgeshrink.commands.training_options import shrink_options
from edgeshrink.core.request import ExpertTypes, Request
from edgeshrink.errors import UsageError


@click.command("build")
@click.argument("model", required=False)
@target_options
@model_options
@click.option(
    "--expert-types",
    type=click.Choice(get_args(ExpertTypes)),
    default="mix",
    show_default=True,
    help="Of a mixture of experts: which layers get the better types, by llama.cpp's mix or by how sharply each uses "
    "its experts (as `prune --experts` counts it).",
)
@click.option("--gpu-layers", type=click.IntRange(min=0), default=0, show_default=True, help="Layers to offload.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads to run with; all physical cores when left out.")
@click.option(
    "--device",
    metavar="DEVICE",
    help="Measure there: local, adb:SERIAL or ssh:[USER@]HOST[:PORT]. When left out, here where this is the device.",
)
@session_options
@suite_options
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Where the result goes.")
@click.option(
    "--remeasure", is_flag=True, help="Measure anew, although a stored session of this build and host exists."
)
@shrink_options
@click.option(
    "--adapter",
    "adapters",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Adapter of MODEL (of distill --lora-rank, or peft) that ships beside it, judged with it; may be given again.",
)
@click.option("--locked", is_flag=True, help="Refuse a build that differs in anything from what the lock pins.")
@click.option(
    "--lock",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The lock of --locked. [default: edgeshrink.lock in the output folder]",
)
@strict_option
@json_option
@yes_option
def command(model: str | None, strict: bool, as_json: bool, yes: bool, **arguments: Any) -> int:
    """Quantize MODEL for a target, prove it against its source, measure it and judge it by the budget.

    It is measured here, where this machine is the profile's device, or on the attached device that --device names.

    MODEL is a language model (a Hugging Face folder, a hub id, an unquantized GGUF; without one, the demo model that
    ships with edgeshrink) or a network: an encoder's or image classifier's folder, an .onnx file, or a function
    package.module:function that returns edgeshrink.TorchNetwork. Exit codes: 0 every line passes or is unknown, 1 a
    line failed, 2 an error; with --format all the best format's, or 2 where one could not be built.
    """
    from edgeshrink.report.progress import ProgressBars

    if arguments["device"] is None:
        refuse_without_device()
    if arguments["lock"] and not arguments["locked"]:
        raise UsageError("--lock names the lock of --locked", hint="add --locked, or leave --lock out")
    named = (arguments["out"] or arguments["lock"]) and arguments["locked"] and arguments["format_"] != "all"
    if named and click.get_current_context().get_parameter_source("target") is ParameterSource.DEFAULT:
        arguments["target"] = ""  # the lock's own
    session = taken_options(arguments)
    request = request_of(model, {**arguments, "session": session})
    if request.format == "all":
        return _build_all(request, strict=strict, as_json=as_json, yes=yes)
    from edgeshrink.engine.build import build

    with ProgressBars(quiet=as_json) as listener:
        report = build(request, listener=listener, confirm=asker(yes), may_install=asker(yes))
    if as_json:
        from edgeshrink.report.json import report_to_json

        click.echo(report_to_json(report).rstrip("\n"))
    else:
        from edgeshrink.report.terminal import render_report

        show(render_report(report))
    from edgeshrink.engine.summary import report_code

    return report_code(report, strict=strict)


def _build_all(request: Request, *, strict: bool, as_json: bool, yes: bool) -> int:
    from edgeshrink.engine.comparison import build_all, exit_code
    from edgeshrink.report.progress import ProgressBars

    with ProgressBars(quiet=as_json) as listener:
        comparison = build_all(request, listener=listener, confirm=asker(yes), may_install=asker(yes))
    if as_json:
        from edgeshrink.report.json import comparison_to_json

        click.echo(comparison_to_json(comparison).rstrip("\n"))
    else:
        from edgeshrink.report.comparison_terminal import render_comparison

        show(render_comparison(comparison))
    return exit_code(comparison, strict=strict)
