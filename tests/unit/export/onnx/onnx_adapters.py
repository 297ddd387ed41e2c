"""Tiny models as ONNX with places for updates: a job of a child process, which imports torch and the builder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx_models


def build_all(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """`cases`: (source, folder, scheme, weights that adapters update)."""
    for source, folder, scheme, weights in parameters["cases"]:
        onnx_models.build(Path(source), Path(folder), scheme, context=64, adapter_weights=weights)
    return {}
