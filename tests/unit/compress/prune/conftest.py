from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from one_thread import one_torch_thread
from tiny_models import write_tiny_model

__all__ = ["one_torch_thread"]

PRUNING_TEXT = "".join(
    f"The miller of house {n} had {n % 7} sons, and the {n * n % 91}th of them went to sea. " for n in range(90)
)


@pytest.fixture(scope="session")
def pruning_text() -> str:
    return PRUNING_TEXT


@pytest.fixture(scope="session")
def tiny_llama(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers, hidden 64, ffn 128, 4 heads of 16 in 2 groups, untied, float32."""
    return write_tiny_model(tmp_path_factory.mktemp("pruned") / "llama", demo_model, "llama")


@pytest.fixture(scope="session")
def score_parameters(tiny_llama: Path, pruning_text: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the job of `score` is told, but for its methods."""
    folder = tmp_path_factory.mktemp("scored")
    (folder / "text").write_text(pruning_text, encoding="utf-8")
    return {
        "model": str(tiny_llama),
        "folder": str(folder),
        "text": str(folder / "text"),
        "text_sha256": "of the text",
        "methods": [],
        "tokens": 256,
        "depth_tokens": 128,
        "length": 32,
        "removals": None,
        "threads": 1,
        "seed": 0,
    }
