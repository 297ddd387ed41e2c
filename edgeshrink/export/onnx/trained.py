"""Does a finished ONNX hold the codes that its model was trained for? The parent's side: imports no onnx."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from edgeshrink.core.grid import Grid
from edgeshrink.core.model import ModelFacts
from edgeshrink.export.onnx.inspect import model_file
from edgeshrink.runtimes.child import run_job

JOB = "edgeshrink.export.onnx.language_codes:job"


def onnx_codes_differ(path: Path, grid: Grid, facts: ModelFacts) -> tuple[str, ...]:
    """The weights of `grid` whose codes in the folder `path` are others: byte for byte.

    DataError for a file that is no ONNX; StepFailed where it has no place for a weight of the grid.
    """
    told = run_job(JOB, {"file": str(model_file(path)), "trained": str(grid.file.parent)})
    return tuple(cast(dict[str, Any], told)["wrong"])
