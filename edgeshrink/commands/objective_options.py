"""Options of `distill` that say what is learnt, and of what of the student: each belongs to some objectives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import click

from edgeshrink.commands.ranges import FiniteRange
from edgeshrink.commands.training_options import refuse_idle
from edgeshrink.core.shrinking_request import Sampling
from edgeshrink.core.training import LoraSettings, ObjectiveName, ObjectiveSettings, PreferenceLoss
from edgeshrink.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])
_OBJECTIVE, _LORA = ObjectiveSettings(), LoraSettings()
_DISTRIBUTIONS: Final = ("logits", "hidden", "grid")
OF_OBJECTIVES: Final[Mapping[str, tuple[str, ...]]] = {
    "divergence": (*_DISTRIBUTIONS, "tool-policy"),
    "temperature": (*_DISTRIBUTIONS, "tool-policy"),
    "cross_entropy": _DISTRIBUTIONS,
    "cached": _DISTRIBUTIONS,
    "on_policy": ("logits", "hidden"),
    "relations": ("hidden",),
    "prompts": ("sequence",),
    "samples": ("sequence", "preference"),
    "scorer": ("sequence", "preference"),
    "scheme": ("grid",),
    "format_": ("grid",),
    "preference_loss": ("preference",),
    "beta": ("preference",),
    "anchor": ("preference",),
    "decision_weight": ("tool-policy",),
}
"""Which objectives look at an option that not all of them do."""
_OF_LORA = ("lora_alpha", "lora_targets", "base_scheme", "merge")


def objective_options(function: F) -> F:
    """What `sampling_of`, `objective_of` and `lora_of` take out of the keyword arguments."""
    for option in reversed(
        (
            click.option(
                "--objective",
                type=click.Choice(get_args(ObjectiveName)),
                default="logits",
                show_default=True,
                help="What is learnt: the teacher's distributions (logits), also its hidden states and attention "
                "(hidden), what it writes (sequence), the text itself (text); the distributions on the values that a "
                "quantized file can hold (grid), pairs of a better and a worse answer (preference), when to call a "
                "tool or to answer from a passage (tool-policy).",
            ),
            click.option("--scheme", metavar="NAME", help="grid: of the file, for example Q3_K_M, int4 or 8da4w."),
            click.option(
                "--format",
                "format_",
                type=click.Choice(("gguf", "onnx", "executorch")),
                default="gguf",
                show_default=True,
                help="grid: of the file.",
            ),
            click.option(
                "--relations/--no-relations",
                default=True,
                help="hidden: match attention relations as well. [default: yes]",
            ),
            click.option(
                "--prompts",
                multiple=True,
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="sequence: JSONL of prompts that the teacher answers, beside --data, which is learnt from as it "
                "is; without, the JSONL files of --data are the prompts.",
            ),
            click.option(
                "--samples",
                type=click.IntRange(min=1),
                default=1,
                show_default=True,
                help="sequence: answers a prompt; preference: answers that the teacher ranks.",
            ),
            click.option("--scorer", metavar="NAME", help="What accepts an answer where its prompt names nothing."),
            click.option(
                "--preference-loss",
                type=click.Choice(get_args(PreferenceLoss)),
                default=_OBJECTIVE.preference_loss,
                show_default=True,
            ),
            click.option(
                "--beta",
                type=FiniteRange(min=0, min_open=True),
                default=_OBJECTIVE.beta,
                show_default=True,
                help="preference: how close the student stays to the teacher.",
            ),
            click.option(
                "--anchor",
                type=FiniteRange(min=0),
                default=_OBJECTIVE.anchor,
                show_default=True,
                help="preference: weight of the divergence to the teacher on what was chosen.",
            ),
            click.option(
                "--decision-weight",
                type=click.IntRange(1, 254),
                default=_OBJECTIVE.decision_weight,
                show_default=True,
                help="tool-policy: of the tokens that decide, beside 1 for the others.",
            ),
            click.option(
                "--lora-rank",
                type=click.IntRange(min=1),
                help="Train low-rank updates of this rank and freeze the rest; the result is an adapter.",
            ),
            click.option("--lora-alpha", type=FiniteRange(min=0, min_open=True), help="[default: twice the rank]"),
            click.option(
                "--lora-targets",
                metavar="NAMES",
                help="Linear layers, as q_proj,v_proj; all of the decoder if left out.",
            ),
            click.option(
                "--base-scheme", metavar="NAME", help="Round the frozen base first, as its GGUF will be: Q4_K_M."
            ),
            click.option("--merge", is_flag=True, help="Write a whole model with the updates in its weights."),
        )
    ):
        function = option(function)
    return function


def sampling_of(arguments: dict[str, Any]) -> Sampling:
    """Takes what the teacher is to write out of `arguments`."""
    take = arguments.pop
    return Sampling(prompts=take("prompts"), samples=take("samples"), scorer=take("scorer"))


def objective_of(arguments: dict[str, Any]) -> dict[str, Any]:
    """Takes what belongs to single objectives out of `arguments`: fields of ObjectiveSettings."""
    names = ("relations", "preference_loss", "beta", "anchor", "decision_weight")
    return {"kind": arguments.pop("objective"), **{name: arguments.pop(name) for name in names}}


def lora_of(arguments: dict[str, Any]) -> LoraSettings | None:
    """Takes the options of low-rank updates out of `arguments`; None where none are asked for."""
    rank, alpha, targets, scheme, merge = (arguments.pop(name) for name in ("lora_rank", *_OF_LORA))
    if rank is None:
        refuse_idle(_OF_LORA, "is of low-rank updates", "say how large they are: --lora-rank 8")
        return None
    named = () if targets is None else tuple(part.strip() for part in targets.split(",") if part.strip())
    return LoraSettings(rank, 2.0 * rank if alpha is None else alpha, named, scheme, merge)


def refuse_others(objective: str) -> None:
    """UsageError where an option was given that this objective does not look at."""
    for name, objectives in OF_OBJECTIVES.items():
        if objective not in objectives:
            owners = " or ".join(objectives)
            refuse_idle((name,), f"says nothing here: it is of --objective {owners}", "leave it out")


def taught_by(teacher: str | None, student: str, objective: str, lora: LoraSettings | None) -> str:
    """Who teaches: a model may be its own teacher where something of it is rounded, or the data say what is better."""
    if teacher is not None:
        return teacher
    rounded = objective == "grid" or (lora is not None and lora.scheme is not None)
    if objective in ("logits", "hidden") and not rounded:
        raise UsageError("who teaches?", hint="give --teacher MODEL; a model learns nothing from itself here")
    return student
