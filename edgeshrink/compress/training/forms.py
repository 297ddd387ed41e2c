"""What of a student is trained, and what is written of it in the end. Imports torch: for jobs only.

A form changes the loaded module in place before the objective is built: it may freeze parameters, round weights on
their way into a layer, or hang low-rank updates beside them. What has `requires_grad` is trained and stands in the
checkpoints; the rest comes from the student's folder again when a run goes on.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from edgeshrink.compress.training.distributed import World, whole
from edgeshrink.compress.training.model_folder import write_model
from edgeshrink.core.model import ModelFacts


class Form(Protocol):
    """Made of a training order's `form_parameters`, JSON values.

    `rate_share`: what the rate that follows from the model's size is multiplied with, where nobody gave a rate.
    """

    rate_share: float

    def __init__(self, parameters: Mapping[str, Any]) -> None: ...

    def trained(self, facts: ModelFacts) -> int | None:
        """How many numbers of the model of `facts` are trained, for the plan of the memory; None: as many as it has."""

    def prepare(self, student: Any) -> None:
        """Change `student` (transformers' module, all float32, on its device) in place."""

    def write(self, facts: ModelFacts, student: Any, out: Path, world: World) -> None:
        """The finished folder `out`, which is not there yet; `facts` are those of the student before. All workers call
        it, and the one that `world.writes` writes."""


class Whole:
    """Fits `Form`: every parameter is trained, and written in the type that it had."""

    rate_share = 1.0

    def __init__(self, parameters: Mapping[str, Any]) -> None: ...

    def trained(self, facts: ModelFacts) -> int | None:
        return None

    def prepare(self, student: Any) -> None: ...

    def write(self, facts: ModelFacts, student: Any, out: Path, world: World) -> None:
        parameters = dict(student.named_parameters(remove_duplicate=False))
        write_model(
            facts, out, frozenset(parameters), lambda name: whole(parameters[name]).numpy(), writes=world.writes
        )


def form_of(name: str, parameters: Mapping[str, Any]) -> Form:
    """The form that "module:class" names."""
    module, _, kind = name.partition(":")
    made: Callable[[Mapping[str, Any]], Form] = getattr(importlib.import_module(module), kind)
    return made(parameters)
