"""`edgeshrink prune MODEL --params 0.67 -o OUT`: fewer layers, heads, channels, or a narrower model."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import click

from edgeshrink.commands.options import json_option, request_of, show, size
from edgeshrink.commands.ranges import FiniteRange
from edgeshrink.commands.suite_options import suite_options
from edgeshrink.commands.training_options import (
    OF_TRAINING,
    refuse_both,
    refuse_idle,
    run_options,
    teaching_of,
    training_options,
)
from edgeshrink.core.shrinking_request import ExpertsWanted, Trains
from edgeshrink.errors import UsageError


@click.command("prune")
@click.argument("model", required=False)
@click.option(
    "--params",
    "share",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    metavar="SHARE",
    help="Of the parameters that are kept, embeddings included: 0.67.",
)
@click.option(
    "--to-bytes",
    "artifact_bytes",
    callback=size,
    metavar="SIZE",
    help="So that a file of --scheme takes at most that: 2MiB.",
)
@click.option(
    "--to-ram", "peak_rss_bytes", callback=size, metavar="SIZE", help="The same of the peak RAM on the device."
)
@click.option(
    "--to-speed",
    "decode_tok_s",
    type=FiniteRange(min=0, min_open=True),
    metavar="TOK_S",
    help="Decode speed to reach there.",
)
@click.option("--scheme", metavar="NAME", help="Quantization that the result is meant for; the target's preferred one.")
@click.option(
    "--method",
    "methods",
    default="",
    metavar="NAME[+NAME]",
    help="block-influence or measured-kl (depth), ffn, heads, hidden; alone: magnitude, wanda, 2:4 (zeros, which make "
    "no runtime faster). When left out, the mix that stands nearest to the model is found.",
)
@click.option(
    "--cycles", type=click.IntRange(min=1), default=1, show_default=True, help="Of cutting and healing, with --data."
)
@click.option(
    "--experts",
    "expert_count",
    type=click.IntRange(min=1),
    metavar="N",
    help="Of a mixture of experts: how many a layer keeps.",
)
@click.option("--expert-ffn", type=click.IntRange(min=1), metavar="W", help="Channels of every expert.")
@click.option(
    "--expert-method",
    type=click.Choice(("activation-norm", "attribution", "usage", "router")),
    help="Who stays: by what an expert adds, what the loss owes it, how often it is asked, or its row of the router. "
    "When left out, what stands nearest to the model is found.",
)
@click.option(
    "--merge-experts/--drop-experts",
    "expert_merge",
    default=None,
    help="Average those that go into those they are like, or leave them out; the nearer, when left out.",
)
@click.option(
    "--heal",
    "trains",
    type=click.Choice(get_args(Trains)),
    default="all",
    show_default=True,
    help="What of a mixture of experts learns: all of it, or its routers and norms.",
)
@click.option("--context", type=click.IntRange(min=16), help="Tokens of context to plan for.")
@click.option(
    "--calibration", type=click.Path(path_type=Path), metavar="FILE", help="Text that importance is measured on."
)
@training_options
@run_options
@suite_options
@json_option
def command(model: str | None, methods: str, as_json: bool, **arguments: Any) -> int:
    """Make MODEL (a Hugging Face folder or a hub id; the demo model when left out) smaller.

    What is cut is decided by measuring; with --data the result learns from the whole model what it lost, for --steps
    or --minutes. It is an ordinary Hugging Face folder. Of a mixture of experts --experts and --expert-ffn cut the
    experts, stage by stage: the suite looks at each, and one that fails its gate is refused. Exit codes: 0, or 1 where
    a gate of --gate fails; 2 an error.
    """
    from edgeshrink.core.shrinking_request import PruneRequest
    from edgeshrink.engine.shrink.prune import prune
    from edgeshrink.report.progress import ProgressBars

    goals = {
        name: arguments.pop(name)
        for name in ("share", "artifact_bytes", "peak_rss_bytes", "decode_tok_s", "scheme", "cycles")
    }
    trains, experts = arguments.pop("trains"), _experts_wanted(arguments)
    heals = bool(arguments["data"]) or arguments["steps"] is not None or arguments["minutes"] is not None
    if heals:
        refuse_both(arguments["steps"], arguments["minutes"])
    elif goals["cycles"] > 1:
        raise UsageError("--cycles heals between its cuts", hint="give --data FILE and --steps N or --minutes M")
    else:
        refuse_idle(OF_TRAINING, "is of the healing", "give --data FILE and --steps N or --minutes M")
    teaching = teaching_of(arguments)
    if trains != "all" and (experts is None or not heals):
        raise UsageError(
            "--heal routers is of a mixture of experts that learns", hint="give --experts N, --data FILE and --steps N"
        )
    gates = bool(arguments["gates"])
    request = PruneRequest(
        request_of(model, arguments),
        methods=tuple(filter(None, methods.replace(",", "+").split("+"))),
        teaching=replace(teaching, trains=trains) if heals else None,
        experts=experts,
        command=tuple(sys.argv[1:]),
        **goals,
    )
    with ProgressBars(quiet=as_json) as listener:
        step, verdict = prune(request, listener=listener)
    if as_json:
        from edgeshrink.report.json import step_to_json

        click.echo(step_to_json(step).rstrip("\n"))
    else:
        from edgeshrink.report.shrink_terminal import render_step

        show(render_step(step, verdict))
    return verdict.exit_code() if verdict is not None and gates else 0


def _experts_wanted(arguments: dict[str, Any]) -> ExpertsWanted | None:
    """Takes its options out of `arguments`; None where neither a number nor a width is given."""
    wanted = ExpertsWanted(
        *(arguments.pop(name) for name in ("expert_count", "expert_ffn", "expert_method", "expert_merge"))
    )
    if wanted.count is None and wanted.ffn is None:
        if wanted != ExpertsWanted():
            raise UsageError("how many experts?", hint="give --experts N, --expert-ffn W, or both")
        return None
    return wanted
