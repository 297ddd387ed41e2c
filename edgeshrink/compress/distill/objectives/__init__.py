"""What a distillation minimizes: one kind a file, named by `ObjectiveSettings.kind`. Building one imports torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from edgeshrink.compress.distill.objectives.parameters import Parameters
from edgeshrink.errors import PlanError

if TYPE_CHECKING:
    from edgeshrink.compress.training.objective import Objective

BUILD: Final = "edgeshrink.compress.distill.objectives:build"
"""What a training order names as its objective."""

_KINDS: Final[Mapping[str, str]] = {
    "logits": "edgeshrink.compress.distill.objectives.logits:build",
    "hidden": "edgeshrink.compress.distill.objectives.hidden:build",
    "text": "edgeshrink.compress.distill.objectives.sequence:build",
    "grid": "edgeshrink.compress.distill.objectives.logits:build",
    "sequence": "edgeshrink.compress.distill.objectives.sequence:build",
    "tool-policy": "edgeshrink.compress.distill.objectives.tool_policy:build",
    "preference": "edgeshrink.compress.distill.objectives.preference:build",
}
_ON_POLICY: Final = "edgeshrink.compress.distill.on_policy:writer"


def build(student: Any, parameters: dict[str, Any], device: str) -> Objective:
    """The objective that `parameters` (`Parameters.json`) describe, on `device`, for a student that is there."""
    given = Parameters.of(parameters)
    if given.settings.on_policy and given.settings.kind in ("sequence", "text"):
        raise PlanError("an objective of kind sequence has no teacher that could score what the student writes")
    objective: Objective = _function(_KINDS[given.settings.kind])(student, given, device)
    if given.settings.on_policy:
        objective.writer = _function(_ON_POLICY)(student, given, device)
    return objective


def _function(name: str) -> Any:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)
