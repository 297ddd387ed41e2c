"""`edgeshrink distill --teacher T --student S --data FILE -o OUT`: a smaller model learns from a larger one."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import click

from edgeshrink.commands.options import json_option, request_of, show
from edgeshrink.commands.suite_options import suite_options
from edgeshrink.commands.training_options import (
    OF_TEACHER,
    refuse_both,
    refuse_idle,
    run_options,
    teaching_of,
    training_options,
)
from edgeshrink.core.training import ObjectiveName
from edgeshrink.errors import UsageError


@click.command("distill")
@click.argument("more", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option("--teacher", metavar="MODEL", required=True, help="A Hugging Face folder or a hub id.")
@click.option(
    "--student", metavar="MODEL", required=True, help="The same: what `edgeshrink prune` wrote, or any other."
)
@click.option(
    "--objective",
    type=click.Choice(get_args(ObjectiveName)),
    default="logits",
    show_default=True,
    help="What of the teacher is learnt: its distributions, its hidden states and attention too, or what it writes.",
)
@training_options
@click.option(
    "--relations/--no-relations", default=True, help="hidden: match attention relations as well. [default: yes]"
)
@click.option(
    "--prompts",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="sequence: JSONL of prompts that the teacher answers, beside --data, which is learnt from as it is; without, "
    "the JSONL files of --data are the prompts.",
)
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="sequence: answers a prompt.")
@click.option("--scorer", metavar="NAME", help="sequence: what accepts an answer where its prompt names nothing.")
@run_options
@suite_options
@json_option
def command(teacher: str, student: str, objective: str, more: tuple[Path, ...], as_json: bool, **arguments: Any) -> int:
    """Train STUDENT on what TEACHER knows, and say slice by slice what it learnt, lost and inherited.

    The result is an ordinary Hugging Face folder. A run that was broken off goes on when the same command is given
    again. Under `torchrun --nproc-per-node N -m edgeshrink distill ...` N workers share it. Exit codes: 0, or 1 where a
    gate of --gate fails; 2 an error (torchrun makes 1 of both, and tells of it at length).
    """
    from edgeshrink.compress.training.launch import dismiss_followers, is_follower

    if is_follower():
        from edgeshrink.compress.training.follow import follow

        return follow()
    from edgeshrink.core.shrinking_request import DistillRequest, Sampling
    from edgeshrink.engine.shrink.distill import distill
    from edgeshrink.report.progress import ProgressBars

    try:
        arguments["data"] += more  # `--data *.txt`, as a shell writes it out
        refuse_both(arguments["steps"], arguments["minutes"])
        _refuse_idle(objective)
        sampling = Sampling(
            prompts=arguments.pop("prompts"), samples=arguments.pop("samples"), scorer=arguments.pop("scorer")
        )
        relations = arguments.pop("relations")
        gates = bool(arguments["gates"])
        teaching = replace(teaching_of(arguments, kind=objective, relations=relations), sampling=sampling)
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
    return verdict.exit_code(strict=False) if verdict is not None and gates else 0


def _refuse_idle(objective: str) -> None:
    """UsageError where an option was given that belongs to another objective."""
    names: tuple[str, ...]
    if objective == "sequence":
        names, what = OF_TEACHER, "learns what the teacher wrote, as text"
    else:
        names, what = ("prompts", "samples", "scorer"), "has the teacher write nothing"
    refuse_idle(
        names, f"says nothing here: --objective {objective} {what}", "leave it out, or name another --objective"
    )
    if objective != "hidden":
        refuse_idle(("relations",), "is of --objective hidden", "leave it out, or use --objective hidden")
