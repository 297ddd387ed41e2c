"""Step: find the llama.cpp pre-tokenizer that gives the source tokenizer's ids, by trying."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.core.values import from_json, to_json
from edgeshrink.errors import StepFailed
from edgeshrink.export.gguf.pretokenizer import Proof, prove_pretokenizer

_FILE = "pretokenizer.json"


@dataclass(frozen=True)
class ProvePretokenizer:
    """Result: `pretokenizer.json`, a Proof."""

    facts: ModelFacts
    vocabulary: Vocabulary
    tokenizer_sha256: str
    runtime_build: str
    id: ClassVar[str] = "pretokenizer"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"tokenizer": self.tokenizer_sha256, "vocab_size": self.facts.vocab_size},
            "tools": {"runtime": self.runtime_build},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        proof = prove_pretokenizer(self.facts, self.vocabulary)
        (workdir / _FILE).write_text(to_json(proof), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        if not read_proof(workdir).pre:
            raise StepFailed("the proof names no pre-tokenizer")


def read_proof(folder: Path) -> Proof:
    return from_json(Proof, folder / _FILE)
