"""`edgeshrink distill --teacher T --student S --data FILE -o OUT`: a smaller model learns from a larger one."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from edgeshrink.commands.objective_options import (
    lora_of,
    objective_of,
    objective_options,
    refuse_others,
    sampling_of,
    taught_by,
)
from edgeshrink.commands.options import json_option, request_of, show
from edgeshrink.commands.suite_options import suite_options
from edgeshrink.commands.training_options import refuse_both, run_options, teaching_of, training_options
from edgeshrink.errors import UsageError


@click.command("distill")
@click.argument("more", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option("--teacher", metavar="MODEL", help="A Hugging Face folder or a hub id; the student itself if left out.")
@click.option(
    "--student", metavar="MODEL", required=True, help="The same: what `edgeshrink prune` wrote, or any other."
)
@objective_options
@training_options
@run_options
@suite_options
@json_option
def command(teacher: str | None, student: str, more: tuple[Path, ...], as_json: bool, **arguments: Any) -> int:
    """Train STUDENT on what TEACHER knows, or on what it should do, and say slice by slice what it learnt and lost.

    The result is an ordinary Hugging Face folder, or an adapter with --lora-rank. A run that was broken off goes on
    when the same command is given again. Under `torchrun --nproc-per-node N -m edgeshrink distill ...` N workers share
    it. Exit codes: 0, or 1 where a gate of --gate fails, or where preferences cost a slice; 2 an error (torchrun makes
    1 of both, and tells of it at length).
    """
    from edgeshrink.compress.training.launch import dismiss_followers, is_follower

    if is_follower():
        from edgeshrink.compress.training.follow import follow

        return follow()
    from edgeshrink.core.shrinking_request import DistillRequest
    from edgeshrink.engine.shrink.distill import distill
    from edgeshrink.judging.kept import CAPABILITY
    from edgeshrink.report.progress import ProgressBars

    try:
        arguments["data"] += more  # `--data *.txt`, as a shell writes it out
        refuse_both(arguments["steps"], arguments["minutes"])
        refuse_others(arguments["objective"])
        sampling, lora, objective = sampling_of(arguments), lora_of(arguments), objective_of(arguments)
        teacher = taught_by(teacher, student, objective["kind"], lora)
        scheme, form = arguments.pop("scheme"), arguments.pop("format_")
        gates = bool(arguments["gates"])
        teaching = replace(
            teaching_of(arguments, **objective), sampling=sampling, lora=lora, scheme=scheme, format=form
        )
        if not teaching.data and not sampling.prompts:
            raise UsageError("nothing to learn from", hint="give --data FILE, or --prompts FILE for sequences")
        request = DistillRequest(request_of(teacher, arguments), student, teaching, tuple(sys.argv[1:]))
        with ProgressBars(quiet=as_json) as listener:
            step, verdict = distill(request, listener=listener)
    finally:
        dismiss_followers()
    if as_json:
        from edgeshrink.report.json import step_to_json

        click.echo(step_to_json(step).rstrip("\n"))
    else:
        from edgeshrink.report.shrink_terminal import render_step

        show(render_step(step, verdict))
    if verdict is None:
        return 0
    if gates:
        return verdict.exit_code()
    return int(any(line.name == CAPABILITY and line.outcome == "FAIL" for line in verdict.lines))
