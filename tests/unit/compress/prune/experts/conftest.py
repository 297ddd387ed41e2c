from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_models import MIXTURES, write_tiny_model

from edgeshrink.compress.prune.experts.scores import ExpertScores, read_expert_scores


@pytest.fixture(scope="session")
def mixtures(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny mixture of every kind: two layers of 8 experts."""
    folder = tmp_path_factory.mktemp("mixtures")
    return {kind: write_tiny_model(folder / kind, demo_model, kind) for kind in MIXTURES}


@pytest.fixture(scope="session")
def expert_parameters(pruning_text: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the jobs are told, but for the model, the folder, and the cuts."""
    text = tmp_path_factory.mktemp("expert-text") / "text"
    text.write_text(pruning_text, encoding="utf-8")
    return {"text": str(text), "text_sha256": "of the text", "tokens": 128, "length": 32, "threads": 1, "seed": 0}


@pytest.fixture(scope="session")
def expert_scores(
    mixtures: dict[str, Path], expert_parameters: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, ExpertScores]:
    """The job's own scores of every kind."""
    from edgeshrink.compress.prune.experts.score_job import job

    found = {}
    for kind, model in mixtures.items():
        folder = tmp_path_factory.mktemp(f"scored-{kind}")
        job({**expert_parameters, "model": str(model), "folder": str(folder)}, lambda _event: None)
        found[kind] = read_expert_scores(folder)
    return found
