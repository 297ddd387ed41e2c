"""`edgeshrink plan MODEL`: what fits, before any work."""

from __future__ import annotations

from typing import Any

import click

from edgeshrink.commands.options import json_option, json_text, model_options, request_of, show, target_options


@click.command("plan")
@click.argument("model", required=False)
@target_options
@model_options
@json_option
def command(model: str | None, as_json: bool, **arguments: Any) -> int:
    """Predict file bytes, peak RAM, speed and build cost of every candidate; nothing is built.

    MODEL is what `edgeshrink build` takes. Weights of a language model need not be there: config.json is enough. The
    exit code is 0 whenever the question could be answered, whatever fits.
    """
    from edgeshrink.engine.planner import outlooks

    answers = outlooks(request_of(model, arguments))
    if as_json:
        click.echo(json_text(answers if len(answers) > 1 else answers[0]))
        return 0
    from edgeshrink.report.terminal import render_plan

    for answer in answers:
        context = f", context {answer.context}" if answer.context else ""
        size = f"{answer.parameters / 1e6:.1f} M"
        title = f"{answer.model} ({size}) as {answer.format} for {answer.profile_name}{context}"
        start = f"a build would start with {answer.start}: {answer.why}"
        show(render_plan(answer.candidates, title=title, notes=(start, *answer.notes)))
    return 0
