"""Is a model's folder trained for exactly the file that is planned? Then the file gets the codes that were trained."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from edgeshrink.catalog.grid import read_grid
from edgeshrink.catalog.safetensors_headers import weight_files
from edgeshrink.core.grid import GRID_FILE, Grid
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import Plan, TensorPlan
from edgeshrink.core.quant_types import storage_type

_HEAD = "lm_head.weight"
_REMEMBERED = 8


def grid_of(facts: ModelFacts) -> Grid | None:
    """What the model was trained for. DataError where its weights were changed since."""
    folder = facts.source.path
    if facts.source.kind != "huggingface" or not (folder / GRID_FILE).is_file():
        return None
    stamps = tuple(
        (file.name, file.stat().st_size, file.stat().st_mtime_ns)
        for file in (folder / GRID_FILE, *weight_files(folder))
    )
    return _read(folder, stamps)


def trained_grid(facts: ModelFacts, plan: Plan) -> Grid | None:
    """The grid of the model where it is the plan's: of its format, scheme and settings, with exactly its types."""
    grid = grid_of(facts)
    return grid if grid is not None and _is_of(grid, plan) else None


def grid_note(facts: ModelFacts, plan: Plan) -> str:
    """What a reader should know where the model was trained for another file than the one planned; else ""."""
    grid = grid_of(facts)
    if grid is None or _is_of(grid, plan):
        return ""
    other = "with other tensor types or settings" if _same_scheme(grid, plan) else ""
    return (
        f"the weights were trained for {grid.format} {grid.scheme}{' ' * bool(other)}{other} and are rounded anew to "
        f"{plan.format} {plan.scheme}: the codes that were trained are not used"
    )


def rounded_tensors(plan: Plan) -> dict[str, TensorPlan]:
    """The tensors that `plan` quantizes, by transformers' names of what they are made of; the head of a tied model may
    be another one than its table."""
    return {
        _HEAD if tensor.name == "output.weight" else tensor.source: tensor
        for tensor in plan.tensors
        if tensor.source and storage_type(tensor.type).is_quantized
    }


def _is_of(grid: Grid, plan: Plan) -> bool:
    planned = {name: tensor.type for name, tensor in rounded_tensors(plan).items()}
    trained = {tensor.name: tensor.type for tensor in grid.tensors}
    return _same_scheme(grid, plan) and dict(grid.settings) == dict(plan.settings) and trained == planned


def _same_scheme(grid: Grid, plan: Plan) -> bool:
    """Types alone do not tell: 4w and 8da4w have the same ones, and compute with other activations."""
    return (grid.format, grid.scheme) == (plan.format, plan.scheme)


@lru_cache(_REMEMBERED)
def _read(folder: Path, stamps: tuple[tuple[str, int, int], ...]) -> Grid | None:
    """`stamps` change with the files: their digests are taken once for each state of them."""
    return read_grid(folder)
