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

    MODEL is a Hugging Face folder, a hub id or an unquantized GGUF; without one, the demo model. Weights need not be
    there: config.json is enough. The exit code is 0 whenever the question could be answered, whatever fits.
    """
    from edgeshrink.engine.planner import outlook

    answer = outlook(request_of(model, arguments))
    if as_json:
        click.echo(json_text(answer))
        return 0
    from edgeshrink.report.terminal import render_plan

    title = f"{answer.model} ({answer.parameters / 1e6:.1f} M) for {answer.profile_name}, context {answer.context}"
    start = f"a build would start with {answer.plan.scheme}: {answer.why}"
    show(render_plan(answer.candidates, title=title, notes=(start, *answer.notes)))
    return 0
