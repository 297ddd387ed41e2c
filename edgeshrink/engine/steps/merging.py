"""Step: a base with an adapter's updates in its weights, as a Hugging Face folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.catalog.adapters import read_adapter
from edgeshrink.compress.adapters.merging import merge
from edgeshrink.compress.grid.rounded import Rounding
from edgeshrink.core.events import Listener
from edgeshrink.core.model import ModelFacts
from edgeshrink.engine.steps.cutting import MODEL, ensure_model
from edgeshrink.engine.steps.model_card import write_short_card


@dataclass(frozen=True)
class MergeAdapter:
    """Result: `model/`. `rounding`: what the base was rounded to while the adapter was trained; `importance` is the
    digest of the matrix that it names."""

    facts: ModelFacts
    model_sha256: str
    adapter: Path
    adapter_sha256: str
    rounding: Rounding | None = None
    importance_sha256: str | None = None
    threads: int = 1
    id: ClassVar[str] = "merge"
    version: ClassVar[int] = 2

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {
                "model": self.model_sha256,
                "adapter": self.adapter_sha256,
                "importance": self.importance_sha256,
            },
            "parameters": {"rounding": None if self.rounding is None else dict(self.rounding.types)},
            "tools": {},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        merge(
            self.facts,
            read_adapter(self.adapter),
            workdir / MODEL,
            rounding=self.rounding,
            threads=self.threads,
            listener=listener,
        )
        write_short_card(workdir / MODEL, self.facts)

    def ensures(self, workdir: Path) -> None:
        ensure_model(workdir / MODEL)
