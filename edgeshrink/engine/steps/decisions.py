"""Steps: cases that decide something, cut into rows; and how a model decides those that were kept from training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.corpus.decisions import build_decisions
from edgeshrink.compress.corpus.material import Material
from edgeshrink.compress.distill.deciding import Decided, decide, decided_of
from edgeshrink.core.events import Listener
from edgeshrink.engine.steps.corpus import material_told
from edgeshrink.errors import DataError

_DECIDED = "decided.json"


@dataclass(frozen=True)
class BuildDecisions:
    """Result: a folder that `Corpus.open` and `decision_files` read. `digests` are those of the material's
    paths."""

    material: Material
    digests: tuple[str, ...]
    tokenizer_sha256: str
    length: int
    decision_weight: int
    id: ClassVar[str] = "decisions-corpus"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"data": list(self.digests), "tokenizer": self.tokenizer_sha256},
            "parameters": {
                "length": self.length,
                "decision_weight": self.decision_weight,
                **material_told(self.material),
            },
            "tools": {},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        build_decisions(
            self.material, workdir, length=self.length, decision_weight=self.decision_weight, listener=listener
        )

    def ensures(self, workdir: Path) -> None:
        if not Corpus.open(workdir).rows:
            raise DataError(
                f"{', '.join(path.name for path in self.material.paths)}: all cases are kept from training",
                hint="give more of them, or --held-out 0",
            )


@dataclass(frozen=True)
class Decide:
    """Result: how `model` decides the held-out cases of `corpus`, a folder of BuildDecisions and its digest."""

    model: Path
    model_sha256: str
    corpus: tuple[Path, str]
    threads: int
    tools: Mapping[str, str] = field(hash=False)
    id: ClassVar[str] = "decide"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"model": self.model_sha256, "corpus": self.corpus[1]},
            "parameters": {},
            "tools": dict(self.tools),
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        found = decide(self.model, self.corpus[0], threads=self.threads, listener=listener)
        (workdir / _DECIDED).write_text(json.dumps(found.json), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        stored_decided(workdir)


def stored_decided(folder: Path) -> Decided:
    """What `Decide` left."""
    return decided_of(json.loads((folder / _DECIDED).read_text(encoding="utf-8")))
