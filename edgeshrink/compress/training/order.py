"""What the parent orders of a training job; crosses to it, and to the other workers, as JSON. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeshrink.core.training import ObjectiveSettings, TrainingSettings, settings_json
from edgeshrink.errors import UsageError

WHOLE = "edgeshrink.compress.training.forms:Whole"
"""All parameters of the student, written as an ordinary folder."""
GRID = "edgeshrink.compress.grid.form:GridForm"
"""On the values that a file's types can hold; the codes are written beside the weights."""


@dataclass(frozen=True, slots=True)
class TrainingOrder:
    """One run or one segment of it.

    `objective` is "module:function", called as function(student, `objective_parameters`, device) with the student's
    module, all of it float32; `objective_settings` is what the record says of it. Where the parameters name a "teacher"
    folder and no "cache", the plan of the memory counts it. `form` is "module:class" of what of the student is trained
    and written (`forms.Form`), made of `form_parameters`. `start`: the `state` folder of the segment before; `until`:
    the step this one ends after, None: the end of the run. `threads` are shared out among this machine's workers.
    """

    student: Path
    corpus: Path
    objective: str
    objective_parameters: Mapping[str, Any]
    settings: TrainingSettings
    objective_settings: ObjectiveSettings = field(default_factory=ObjectiveSettings)
    start: Path | None = None
    until: int | None = None
    threads: int = 1
    form: str = WHOLE
    form_parameters: Mapping[str, Any] = field(default_factory=dict)


def check_order(order: TrainingOrder) -> None:
    """UsageError where the settings contradict themselves."""
    settings = order.settings
    if (settings.steps is None) == (settings.minutes is None):
        raise UsageError("a training run needs either steps or minutes", hint="give --steps N or --minutes M")
    for name, value in (("steps", settings.steps), ("minutes", settings.minutes), ("rate", settings.rate)):
        if value is not None and not value > 0:
            raise UsageError(f"{name} of a training run must be above 0, found {value}")
    if settings.batch_tokens < settings.length:
        raise UsageError(
            f"a step of {settings.batch_tokens} tokens is less than one row of {settings.length}",
            hint="raise --batch-tokens or lower --length",
        )
    if settings.optimizer == "muon" and settings.parallel == "fsdp":
        raise UsageError(
            "Muon turns whole matrices, and FSDP2 cuts them up over the workers",
            hint="use AdamW with fsdp, or Muon with ddp",
        )
    if order.form == GRID and settings.parallel == "fsdp":
        raise UsageError(
            "blocks of weights are rounded whole, and FSDP2 cuts them up over the workers",
            hint="train for the grid with --parallel ddp",
        )


def order_json(order: TrainingOrder) -> dict[str, Any]:
    """All of it as JSON values; paths are absolute."""
    return {
        "student": str(order.student.absolute()),
        "corpus": str(order.corpus.absolute()),
        "objective": order.objective,
        "objective_parameters": dict(order.objective_parameters),
        "settings": settings_json(order.settings),
        "objective_settings": settings_json(order.objective_settings),
        "form": order.form,
        "form_parameters": dict(order.form_parameters),
        "start": None if order.start is None else str(order.start.absolute()),
        "until": order.until,
        "threads": order.threads,
    }


def order_of(data: Mapping[str, Any]) -> TrainingOrder:
    """`order_json` read back."""
    return TrainingOrder(
        student=Path(data["student"]),
        corpus=Path(data["corpus"]),
        objective=data["objective"],
        objective_parameters=data["objective_parameters"],
        settings=TrainingSettings(**data["settings"]),
        objective_settings=objective_settings_of(data["objective_settings"]),
        form=data["form"],
        form_parameters=data["form_parameters"],
        start=None if data["start"] is None else Path(data["start"]),
        until=data["until"],
        threads=data["threads"],
    )


def objective_settings_of(data: Mapping[str, Any]) -> ObjectiveSettings:
    """`core.training.settings_json` read back."""
    return ObjectiveSettings(**{**data, "layers": tuple((int(ours), int(its)) for ours, its in data["layers"])})
