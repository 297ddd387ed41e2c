"""The formats by name. Each is a module of pure functions that fits `FormatPlanner`, loaded when it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

from edgeshrink.core.plan import Predictions, StepPlan, TensorPlan
from edgeshrink.errors import PlanError

if TYPE_CHECKING:
    from edgeshrink.planning.resolve import Situation

FORMATS: dict[str, str] = {
    "gguf": "edgeshrink.planning.gguf",
    "executorch": "edgeshrink.planning.executorch",
    "onnx": "edgeshrink.planning.onnx",
}


class FormatPlanner(Protocol):
    """What a format knows of planning a language model."""

    def scheme_names(self) -> tuple[str, ...]:
        """Every scheme that `--scheme` takes for this format, from fewest bits to most."""

    def tensors(self, situation: Situation, scheme: str) -> tuple[TensorPlan, ...]:
        """Every tensor of the file with its type: the exporter obeys it. PlanError where an override fits nothing."""

    def predictions(self, situation: Situation, scheme: str, tensors: tuple[TensorPlan, ...]) -> Predictions:
        """Bytes, memory and speed of the artifact on the device, and what the export takes on this host."""

    def steps(self, situation: Situation, scheme: str) -> tuple[StepPlan, ...]:
        """What will be run, in order."""

    def uses_imatrix(self, situation: Situation, scheme: str) -> bool:
        """Whether an importance matrix weighs this scheme's columns."""

    def settings(self, situation: Situation) -> tuple[tuple[str, int | str | bool], ...]:
        """What the exporter is told beside the scheme, from target.toml's `parameters`, checked."""


def format_planner(name: str) -> FormatPlanner:
    """The planner of that format; PlanError lists the known ones."""
    module = FORMATS.get(name)
    if module is None:
        raise PlanError(f"unknown format {name!r}", hint=f"known formats: {', '.join(FORMATS)}")
    return cast(FormatPlanner, importlib.import_module(module))


def scheme_of(name: str, format: str) -> str:
    """The scheme as `format` spells it, whatever its case; PlanError lists those of the format."""
    known = format_planner(format).scheme_names()
    found = {entry.lower(): entry for entry in known}.get(name.lower())
    if found is None:
        raise PlanError(f"{format} has no scheme {name!r}", hint=f"its schemes: {', '.join(known)}")
    return found
