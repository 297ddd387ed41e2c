"""Where tests of training train: a tiny model, rows that it can learn, and orders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeshrink.compress.training.order import TrainingOrder
from edgeshrink.core.training import TextSource, TrainingSettings

LENGTH = 32
SOURCE = TextSource("walks.txt", "0" * 64, 12, 3, 4, "CC0-1.0")


@dataclass(frozen=True)
class Ground:
    """Where a test trains: eight rows in nine a step, so that two workers get one row to fill up."""

    model: Path
    corpus: Path

    def order(self, **changes: Any) -> TrainingOrder:
        """Settings by name, `accidents` to the objective, `start` and `until` of the order."""
        accidents = changes.pop("accidents", {})
        ends = {name: changes.pop(name) for name in ("start", "until") if name in changes}
        told = {
            "steps": 12,
            "batch_tokens": 9 * LENGTH,
            "length": LENGTH,
            "rate": 3e-3,
            "precision": "float32",
            "log_every": 3,
            "held_out_every": 4,
            "save_every": 5,
        } | changes
        model = told.pop("model", self.model)
        settings = TrainingSettings(**told)
        return TrainingOrder(model, self.corpus, "training_objectives:build", accidents, settings, **ends)
