"""Checkpoints as safetensors and JSON, written aside and renamed, so a kill never leaves half of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor


def save(path: Path, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
    """Tensors and progress in one file: progress travels in its metadata, so the two cannot disagree."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".part")
    plain = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    save_file(plain, aside, metadata={"progress": json.dumps(progress)})
    aside.replace(path)


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return load_file(path), json.loads(header["__metadata__"]["progress"])
