"""A model that was trained on the very values that its file can hold: beside its weights stand the codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

GRID_FILE = "edgeshrink-grid.safetensors"
"""Beside config.json. Says `format`, `scheme`, `settings`, and `weights`, the sha256 of the weights it spells."""
PROBE_FILE = "edgeshrink-probe.safetensors"
"""Beside it: `tokens` int32 (n,) and `logits` float32 (n, vocabulary) that the student gave in the end, rounded as its
file will be."""


@dataclass(frozen=True, slots=True)
class GridTensor:
    """The codes of one tensor under its source's name, as they will lie in the file: `type` names a storage type of
    `core.quant_types`, `pieces` where each of its arrays lies in GRID_FILE (name, dtype, shape, offset, bytes)."""

    name: str
    type: str
    shape: tuple[int, ...]
    pieces: tuple[tuple[str, str, tuple[int, ...], int, int], ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """What a folder was trained for. `settings`: of the format beside the scheme, as Plan.settings."""

    file: Path
    format: str
    scheme: str
    settings: tuple[tuple[str, int | str | bool], ...]
    tensors: tuple[GridTensor, ...] = field(repr=False)
