"""Does a finished `.pte` for XNNPACK hold the codes that its model was trained for? The parent's side: no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from edgeshrink.core.grid import Grid
from edgeshrink.core.model import ModelFacts
from edgeshrink.runtimes.child import run_job

JOB = "edgeshrink.export.executorch.codes:job"
_FILE = "model.pte"


def executorch_codes_differ(path: Path, grid: Grid, facts: ModelFacts) -> tuple[str, ...]:
    """The weights of `grid` whose codes or scales, laid out as XNNPACK has them, are not in the folder `path`.

    DataError for a file that is no `.pte`.
    """
    parameters: dict[str, object] = {
        "file": str(path / _FILE),
        "trained": str(grid.file.parent),
        "heads": facts.n_heads,
        "kv_heads": facts.n_kv_heads,
    }
    return tuple(cast(dict[str, Any], run_job(JOB, parameters))["wrong"])
