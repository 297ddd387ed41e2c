"""Options of every command that trains: the text, how long, how fast, and what is minimized."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
from click.core import ParameterSource

from edgeshrink.commands.ranges import FiniteRange
from edgeshrink.core.request import HEAL_MINUTES, Shrink
from edgeshrink.core.shrinking_request import Teaching
from edgeshrink.core.training import Divergence, ObjectiveSettings, OptimizerName, Parallel, Precision, TrainingSettings
from edgeshrink.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])
_DEFAULT, _OBJECTIVE = TrainingSettings(), ObjectiveSettings()
OF_TEACHER = ("divergence", "temperature", "cross_entropy", "cached", "on_policy")
"""Options that say how a teacher's distributions are learnt."""
OF_TRAINING = (
    *OF_TEACHER,
    *("batch_tokens", "length", "rate", "optimizer", "learn", "tokens"),
    *("check_every", "save_every", "precision", "parallel"),
)
"""Options that only a training looks at."""


def training_options(function: F) -> F:
    """All that `teaching_of` takes out of the keyword arguments."""
    for option in reversed(
        (
            click.option(
                "--data",
                multiple=True,
                type=click.Path(path_type=Path),
                metavar="FILE|FOLDER",
                help="Text, JSONL (text, chats, prompt and answer), or a folder of Hugging Face datasets; may be given "
                "again. Never what the suite asks.",
            ),
            click.option("--steps", type=click.IntRange(min=1), help="How long: steps of --batch-tokens."),
            click.option("--minutes", type=FiniteRange(min=0, min_open=True), help="How long: minutes."),
            click.option(
                "--batch-tokens",
                type=click.IntRange(min=64),
                default=_DEFAULT.batch_tokens,
                show_default=True,
                help="Tokens a step, over all workers.",
            ),
            click.option(
                "--length",
                type=click.IntRange(min=16),
                default=_DEFAULT.length,
                show_default=True,
                help="Tokens a row; never more than the model's context.",
            ),
            click.option("--rate", type=FiniteRange(min=0, min_open=True), help="Learning rate; by size if left out."),
            click.option(
                "--optimizer",
                type=click.Choice(get_args(OptimizerName)),
                default=_DEFAULT.optimizer,
                show_default=True,
            ),
            click.option(
                "--divergence",
                type=click.Choice(get_args(Divergence)),
                default=_OBJECTIVE.divergence,
                show_default=True,
                help="Between teacher and student.",
            ),
            click.option(
                "--temperature",
                type=FiniteRange(min=0, min_open=True),
                default=_OBJECTIVE.temperature,
                show_default=True,
                help="Of both distributions.",
            ),
            click.option(
                "--cross-entropy",
                type=FiniteRange(0, 1),
                default=_OBJECTIVE.cross_entropy,
                show_default=True,
                help="Share of the loss that the text itself has.",
            ),
            click.option("--cached", is_flag=True, help="Let the teacher read the text once, into a compact cache."),
            click.option(
                "--on-policy",
                type=FiniteRange(0, 1),
                default=_OBJECTIVE.on_policy,
                show_default=True,
                help="Share of the steps whose text the student writes itself.",
            ),
            click.option(
                "--learn",
                type=click.Choice(("all", "answers")),
                default="all",
                show_default=True,
                help="What counts in a chat.",
            ),
            click.option(
                "--tokens", type=click.IntRange(min=1), help="Of the text, at most; what the steps need if left out."
            ),
            click.option(
                "--check-every",
                type=click.IntRange(min=1),
                help="Steps between two looks of the suite, which end the run as soon as every gate passes.",
            ),
            click.option(
                "--save-every",
                type=click.IntRange(min=1),
                default=_DEFAULT.save_every,
                show_default=True,
                help="Steps between two checkpoints: what a killed run loses at most.",
            ),
            click.option(
                "--precision",
                type=click.Choice(get_args(Precision)),
                default=_DEFAULT.precision,
                show_default=True,
                help="Of the matrix products; parameters are float32.",
            ),
            click.option(
                "--parallel",
                type=click.Choice(get_args(Parallel)),
                default=_DEFAULT.parallel,
                show_default=True,
                help="How workers of `torchrun` share the work.",
            ),
        )
    ):
        function = option(function)
    return function


def teaching_of(arguments: dict[str, Any], **objective: Any) -> Teaching:
    """Takes what `training_options` gave out of `arguments`. The suite's seed is the run's too; `objective` has further
    fields of ObjectiveSettings."""
    take = arguments.pop
    settings = TrainingSettings(
        steps=take("steps"),
        minutes=take("minutes"),
        batch_tokens=take("batch_tokens"),
        length=take("length"),
        rate=take("rate"),
        optimizer=take("optimizer"),
        precision=take("precision"),
        parallel=take("parallel"),
        save_every=take("save_every"),
        seed=arguments["seed"],
    )
    minimized = ObjectiveSettings(
        divergence=take("divergence"),
        temperature=take("temperature"),
        cross_entropy=take("cross_entropy"),
        cached=take("cached"),
        on_policy=take("on_policy"),
        **objective,
    )
    return Teaching(
        data=take("data"),
        settings=settings,
        objective=minimized,
        learn=take("learn"),
        tokens=take("tokens"),
        check_every=take("check_every"),
    )


def refuse_idle(names: Collection[str], why: str, hint: str) -> None:
    """UsageError where one of the options `names` was given, which this run would not look at."""
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and parameter.name in names:
            raise UsageError(f"{parameter.opts[0]} {why}", hint=hint)


def run_options(function: F) -> F:
    """--target, --profile, --threads, --offline, --revision, -o: of both prune and distill."""
    for option in reversed(
        (
            click.option(
                "--target", default="laptop-cpu", show_default=True, metavar="ID", help="See `edgeshrink targets`."
            ),
            click.option(
                "--profile", metavar="ID", help="Device profile whose quality floor judges; the target's default."
            ),
            click.option("--threads", type=click.IntRange(min=1), help="All physical cores when left out."),
            click.option("--offline", is_flag=True, help="Take a hub model from the local cache only."),
            click.option(
                "--revision", metavar="REV", help="Commit or branch of a hub model; its newest when left out."
            ),
            click.option(
                "-o",
                "--out",
                type=click.Path(path_type=Path),
                metavar="FOLDER",
                required=True,
                help="The model's folder.",
            ),
        )
    ):
        function = option(function)
    return function


def shrink_options(function: F) -> F:
    """--shrink, --data, --heal-steps, --heal-minutes: of a build that may have to make a smaller model."""
    for option in reversed(
        (
            click.option(
                "--shrink",
                type=click.Choice(get_args(Shrink)),
                help="Prune and heal the model where no quantization fits with its quality floor. "
                "[default: auto, or EDGESHRINK_SHRINK]",
            ),
            click.option(
                "--data",
                multiple=True,
                type=click.Path(path_type=Path),
                metavar="FILE|FOLDER",
                help="Text to heal a pruned model with; when left out, the model writes its own.",
            ),
            click.option(
                "--train-for-grid",
                is_flag=True,
                help="Where a scheme that fits misses its quality floor, train the model on its values.",
            ),
            click.option("--heal-steps", type=click.IntRange(min=1), help="Steps of one healing, instead of minutes."),
            click.option(
                "--heal-minutes",
                type=FiniteRange(min=0, min_open=True),
                help=f"Minutes of one healing. [default: {HEAL_MINUTES:g}]",
            ),
        )
    ):
        function = option(function)
    return function


def refuse_both(steps: int | None, minutes: float | None) -> None:
    """UsageError unless exactly one says how long the run is."""
    if (steps is None) == (minutes is None):
        raise UsageError("how long?", hint="give --steps N or --minutes M, one of them")
