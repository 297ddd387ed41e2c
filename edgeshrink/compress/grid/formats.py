"""The formats that a model can be trained for. Building a format's grids imports torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from edgeshrink.errors import PlanError, UnsupportedModel

if TYPE_CHECKING:
    from edgeshrink.compress.grid.tensor_grid import TensorGrid

FORMATS: Final[Mapping[str, str]] = {
    "gguf": "edgeshrink.compress.grid.gguf:build",
    "onnx": "edgeshrink.compress.grid.onnx:build",
    "executorch": "edgeshrink.compress.grid.executorch:build",
}
"""Each is called as function(student, form_parameters) and answers a grid for each tensor that its file rounds, by
transformers' name of the parameter. It may hang hooks on the student that round activations as its runtime does."""


def build_grids(student: Any, parameters: Mapping[str, Any]) -> dict[str, TensorGrid]:
    """The grids that the parameters of a `GridForm` describe, for a student that is not changed yet but for its hooks.

    PlanError for a format that has none; UnsupportedModel where the student holds its weights under other names.
    """
    name = FORMATS.get(parameters["format"])
    if name is None:
        raise PlanError(f"nothing is trained for files of {parameters['format']}", hint=f"known: {', '.join(FORMATS)}")
    _refuse_strangers(student, parameters["tensors"])
    module, _, function = name.partition(":")
    build: Callable[[Any, Mapping[str, Any]], dict[str, TensorGrid]] = getattr(
        importlib.import_module(module), function
    )
    return build(student, parameters)


def _refuse_strangers(student: Any, tensors: Mapping[str, str]) -> None:
    known = {name for name, _ in student.named_parameters(remove_duplicate=False)}
    strangers = [name for name in tensors if name not in known]
    if strangers:
        raise UnsupportedModel(
            f"{strangers[0]} is no weight that transformers keeps by itself: experts that are stacked in memory cannot "
            "be trained for a grid",
            hint="train for the grid works on models with one feed-forward a layer",
        )
