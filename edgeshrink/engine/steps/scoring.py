"""Step: how important every layer, channel, head group and hidden dimension of a model is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.catalog.texts import Text
from edgeshrink.compress.prune.scores import read_scores
from edgeshrink.compress.prune.scoring import score
from edgeshrink.core.events import Listener
from edgeshrink.errors import StepFailed


@dataclass(frozen=True)
class ScoreModel:
    """Result: a folder that `read_scores` reads."""

    model: Path
    model_sha256: str
    text: Text
    methods: tuple[str, ...]
    threads: int
    tools: Mapping[str, str] = field(hash=False)
    seed: int = 0
    id: ClassVar[str] = "score"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"model": self.model_sha256, "text": self.text.sha256},
            "parameters": {"methods": list(self.methods), "seed": self.seed},
            "tools": dict(self.tools),
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        score(
            self.model,
            self.text.text,
            workdir,
            methods=self.methods,
            threads=self.threads,
            seed=self.seed,
            listener=listener,
        )

    def ensures(self, workdir: Path) -> None:
        if not read_scores(workdir).tokens:
            raise StepFailed("the importance of nothing was scored: the calibration text gave no tokens")
