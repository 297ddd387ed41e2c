"""What the person asked for: the command line, or the arguments of the Python API, with nothing resolved yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Request:
    """`model` None means the demo model that ships with the package; `scheme` None means: walk the ladder."""

    model: str | None = None
    target: str = "laptop-cpu"
    profile: str | None = None
    format: str = "gguf"
    scheme: str | None = None
    tensor_types: tuple[tuple[str, str], ...] = ()
    imatrix: str = "default"  # a file, "auto", "none", or "default": auto below 5 bits per weight
    calibration: Path | None = None
    context: int | None = None
    out: Path | None = None
    offline: bool = False
    remeasure: bool = False
    gpu_layers: int = 0
    threads: int | None = None
