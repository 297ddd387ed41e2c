"""Step: how far several cuts of a model stand from the whole one, before any healing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.catalog.texts import Text
from edgeshrink.compress.prune.experts.cut import ExpertCut
from edgeshrink.compress.prune.measuring import cut_json, measure
from edgeshrink.core.events import Listener
from edgeshrink.core.shape import Cut
from edgeshrink.errors import StepFailed

_FILE = "measured.json"


@dataclass(frozen=True)
class MeasureCuts:
    """Result: `measured.json`, the mean KL of each cut, nats a token, in their order."""

    model: Path
    model_sha256: str
    text: Text
    cuts: tuple[Cut, ...] | tuple[ExpertCut, ...] = field(repr=False)
    threads: int
    tools: Mapping[str, str] = field(hash=False)
    id: ClassVar[str] = "measure-cuts"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"model": self.model_sha256, "text": self.text.sha256},
            "parameters": {"cuts": [cut_json(cut) for cut in self.cuts]},
            "tools": dict(self.tools),
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        found = measure(
            self.model,
            self.cuts,
            self.text.text,
            threads=self.threads,
            listener=listener,
        )
        (workdir / _FILE).write_text(json.dumps(list(found)), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        if len(read_measured(workdir)) != len(self.cuts):
            raise StepFailed("not every cut was measured")


def read_measured(folder: Path) -> tuple[float, ...]:
    return tuple(json.loads((folder / _FILE).read_text(encoding="utf-8")))
