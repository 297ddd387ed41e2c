"""`edgeshrink profile FILE`: measure a file, here or on attached devices, and judge it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgeshrink.commands.device_options import refuse, refuse_without_device, session_options, taken_options
from edgeshrink.commands.options import asker, json_option, request_of, show, strict_option, target_options, yes_option
from edgeshrink.core.report import Report
from edgeshrink.core.request import Request
from edgeshrink.errors import UsageError


@click.command("profile")
@click.argument("file", type=click.Path(path_type=Path))
@target_options
@click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="DEVICE|all",
    help="local, adb:SERIAL or ssh:[USER@]HOST[:PORT]; several with commas or given again; all: every attached one. "
    "When left out, this machine through the Python runtimes.",
)
@click.option("--against", type=click.Path(path_type=Path), metavar="FILE", help="Measure FILE and this one in turn.")
@click.option("--rounds", type=click.IntRange(6, 200), default=8, show_default=True, help="Rounds of --against.")
@click.option(
    "--xctest",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write a Swift package that measures FILE on an iPhone, iPad or Mac: run its test in Xcode.",
)
@click.option(
    "--import",
    "result",
    type=click.Path(path_type=Path),
    metavar="RESULT",
    help="Judge what that test measured (edgeshrink-result.jsonl).",
)
@click.option("--delegate", metavar="NAME", help="Backend to run with; the CPU's when left out.")
@click.option("--gpu-layers", type=click.IntRange(min=0), default=0, show_default=True, help="Layers to offload.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads to run with; all physical cores when left out.")
@session_options
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Write report.json and report.html."
)
@click.option(
    "--remeasure", is_flag=True, help="Measure anew, although a stored session of this build and device exists."
)
@strict_option
@json_option
@yes_option
def command(
    file: Path,
    devices: tuple[str, ...],
    against: Path | None,
    rounds: int,
    xctest: Path | None,
    result: Path | None,
    strict: bool,
    as_json: bool,
    yes: bool,
    **arguments: Any,
) -> int:
    """Measure FILE (a GGUF, .pte or .onnx, quantized ones too; or a folder of one) and judge it by the budget.

    With --device it is measured where the model will live: a runner and the model are brought there, and taken away
    again. Exit codes: 0 every line passes or is unknown, 1 a line failed, 2 an error (on one of several devices, too).
    """
    options = taken_options(arguments)
    request = request_of(None, {**arguments, "session": options})
    if sum((against is not None, xctest is not None, result is not None)) > 1:
        raise UsageError("--against, --xctest and --import are three different things", hint="give one of them")
    if devices and (xctest is not None or result is not None):
        raise UsageError("--xctest and --import reach no device", hint="leave out --device")
    if not devices and against is None and xctest is None:
        refuse_without_device()
    if against is not None:
        refuse(("out", "strict", "remeasure", "judge_anyway", "sustain", "depths"), "says nothing of two in turn")
    if xctest is not None:
        return _write_xctest(file, request, xctest)
    if result is not None:
        return _imported(file, request, result, strict=strict, as_json=as_json)
    if against is not None:
        return _in_turn(file, against, request, devices, rounds, as_json=as_json)
    if not devices:
        return _one(file, request, strict=strict, as_json=as_json, yes=yes)
    from dataclasses import replace

    from edgeshrink.engine.fleet import addresses_of

    addresses = addresses_of(devices)
    if len(addresses) == 1:
        return _one(file, replace(request, device=str(addresses[0])), strict=strict, as_json=as_json, yes=yes)
    from edgeshrink.engine.fleet import exit_code, profile_on_devices
    from edgeshrink.report.progress import ProgressBars

    with ProgressBars(quiet=as_json) as listener:
        sessions = profile_on_devices(file, request, addresses, yes=yes, listener=listener)
    if as_json:
        from edgeshrink.report.json import sessions_to_json

        click.echo(sessions_to_json(sessions).rstrip("\n"))
    else:
        from edgeshrink.report.sessions_table import render_sessions

        show(render_sessions(sessions))
    return exit_code(sessions, strict=strict)


def _one(file: Path, request: Request, *, strict: bool, as_json: bool, yes: bool) -> int:
    from edgeshrink.engine.profile import profile
    from edgeshrink.report.progress import ProgressBars

    with ProgressBars(quiet=as_json) as listener:
        report = profile(file, request, listener=listener, may_install=asker(yes))
    return _told(report, strict=strict, as_json=as_json)


def _told(report: Report, *, strict: bool, as_json: bool) -> int:
    if as_json:
        from edgeshrink.report.json import report_to_json

        click.echo(report_to_json(report).rstrip("\n"))
    else:
        from edgeshrink.report.terminal import render_report

        show(render_report(report))
    from edgeshrink.engine.summary import report_code

    return report_code(report, strict=strict)


def _write_xctest(file: Path, request: Request, folder: Path) -> int:
    from edgeshrink.engine.xctest import export_xctest

    export_xctest(file, request, folder)
    click.echo(f"{folder}: open it in Xcode and run the test MeasureModel; its README.md says how")
    return 0


def _imported(file: Path, request: Request, result: Path, *, strict: bool, as_json: bool) -> int:
    from edgeshrink.engine.xctest import profile_imported

    return _told(profile_imported(file, request, result), strict=strict, as_json=as_json)


def _in_turn(
    file: Path, against: Path, request: Request, devices: tuple[str, ...], rounds: int, *, as_json: bool
) -> int:
    from edgeshrink.engine.fleet import addresses_of
    from edgeshrink.engine.in_turn import profile_in_turn
    from edgeshrink.report.progress import ProgressBars

    addresses = addresses_of(devices or ("local",))
    if len(addresses) != 1:
        raise UsageError(f"--against compares on one device, not on {len(addresses)}", hint="name one with --device")
    with ProgressBars(quiet=as_json) as listener:
        compared = profile_in_turn(file, against, request, addresses[0], rounds=rounds, listener=listener)
    if as_json:
        from edgeshrink.report.json import interleaved_to_json

        click.echo(interleaved_to_json(compared).rstrip("\n"))
    else:
        from edgeshrink.report.interleaved_table import render_interleaved

        show(render_interleaved(compared))
    return 0
