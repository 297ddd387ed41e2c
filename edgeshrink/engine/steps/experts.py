"""Steps of making a mixture of experts smaller: score its experts, write a cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.catalog.texts import Text
from edgeshrink.compress.prune.experts.cut import ExpertCut, check_expert_cut, expert_cut_json
from edgeshrink.compress.prune.experts.cutting import apply_expert_cut
from edgeshrink.compress.prune.experts.names import experts_of
from edgeshrink.compress.prune.experts.scores import read_expert_scores
from edgeshrink.compress.prune.experts.scoring import score_experts
from edgeshrink.core.events import Listener
from edgeshrink.core.model import ModelFacts
from edgeshrink.engine.steps.cutting import MODEL, ensure_model
from edgeshrink.engine.steps.model_card import write_short_card
from edgeshrink.errors import StepFailed


@dataclass(frozen=True)
class ScoreExperts:
    """Result: a folder that `read_expert_scores` reads."""

    facts: ModelFacts
    model_sha256: str
    text: Text
    threads: int
    tools: Mapping[str, str] = field(hash=False)
    seed: int = 0
    id: ClassVar[str] = "score-experts"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"model": self.model_sha256, "text": self.text.sha256},
            "parameters": {"seed": self.seed},
            "tools": dict(self.tools),
        }

    def requires(self) -> None:
        experts_of(self.facts)

    def call(self, workdir: Path, listener: Listener) -> None:
        folder = self.facts.source.path
        score_experts(folder, self.text.text, workdir, threads=self.threads, seed=self.seed, listener=listener)

    def ensures(self, workdir: Path) -> None:
        if not read_expert_scores(workdir).tokens:
            raise StepFailed("no expert was scored: the calibration text gave no tokens")


@dataclass(frozen=True)
class CutExperts:
    """Result: `model/`, the mixture with the experts of `cut`."""

    facts: ModelFacts
    model_sha256: str
    cut: ExpertCut = field(repr=False)
    id: ClassVar[str] = "cut-experts"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"model": self.model_sha256},
            "parameters": {"cut": expert_cut_json(self.cut)},
            "tools": {},
        }

    def requires(self) -> None:
        check_expert_cut(self.facts, self.cut)

    def call(self, workdir: Path, listener: Listener) -> None:
        apply_expert_cut(self.facts, self.cut, workdir / MODEL, listener=listener)
        write_short_card(workdir / MODEL, self.facts)

    def ensures(self, workdir: Path) -> None:
        ensure_model(workdir / MODEL)
