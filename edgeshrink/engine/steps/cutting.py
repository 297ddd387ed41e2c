"""Steps that write a smaller model, or one with zeros, as a Hugging Face folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.prune.cuts import cut_to_json
from edgeshrink.compress.prune.cutting import apply_cut, check_cut
from edgeshrink.compress.prune.scores import read_scores
from edgeshrink.compress.prune.sparsifying import SparseMethod, sparsify
from edgeshrink.core.events import Listener
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.shape import Cut
from edgeshrink.engine.steps.model_card import write_short_card
from edgeshrink.planning.layout import check_source, layout

MODEL = "model"
_SPARSIFIED = "sparsified.json"


@dataclass(frozen=True)
class CutModel:
    """Result: `model/`, what `cut` keeps of it."""

    facts: ModelFacts
    model_sha256: str
    cut: Cut = field(repr=False)
    id: ClassVar[str] = "cut"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"model": self.model_sha256},
            "parameters": {"cut": cut_to_json(self.cut)},
            "tools": {},
        }

    def requires(self) -> None:
        check_cut(self.facts, self.cut)

    def call(self, workdir: Path, listener: Listener) -> None:
        apply_cut(self.facts, self.cut, workdir / MODEL, listener=listener)
        write_short_card(workdir / MODEL, self.facts)

    def ensures(self, workdir: Path) -> None:
        ensure_model(workdir / MODEL)


@dataclass(frozen=True)
class SparsifyModel:
    """Result: `model/` with `zeros` of the weights of its blocks set to 0; `sparsified.json`: how small it zips."""

    facts: ModelFacts
    model_sha256: str
    method: SparseMethod
    zeros: float
    scores: tuple[Path, str] | None
    id: ClassVar[str] = "sparsify"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"model": self.model_sha256, "scores": self.scores and self.scores[1]},
            "parameters": {"method": self.method, "zeros": self.zeros},
            "tools": {},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        scores = None if self.scores is None else read_scores(self.scores[0])
        done = sparsify(
            self.facts, workdir / MODEL, method=self.method, zeros=self.zeros, scores=scores, listener=listener
        )
        write_short_card(workdir / MODEL, self.facts)
        (workdir / _SPARSIFIED).write_text(json.dumps(asdict(done)), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        ensure_model(workdir / MODEL)


def sparsified(folder: Path) -> Mapping[str, Any]:
    """zeros, file_bytes, zip_bytes of the finished folder."""
    found: Mapping[str, Any] = json.loads((folder / _SPARSIFIED).read_text(encoding="utf-8"))
    return found


def ensure_model(folder: Path) -> None:
    """DataError where the folder is no model whose weights are what its configuration says."""
    facts = inspect_folder(folder, str(folder))
    check_source(facts, layout(facts))
