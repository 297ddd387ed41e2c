"""Steps: pairs of answers as rows of tokens; and how many of those that were held out models agree with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.corpus.material import Material
from edgeshrink.compress.corpus.pairs_build import build_pairs
from edgeshrink.compress.distill.agreeing import agreeing, read_agreed
from edgeshrink.core.events import Listener
from edgeshrink.engine.steps.corpus import material_told
from edgeshrink.engine.steps.ranking import File
from edgeshrink.errors import StepFailed


@dataclass(frozen=True)
class BuildPairs:
    """Result: a folder that `Corpus.open` reads: see `build_pairs`. `text`: a corpus and its digest, to mix in."""

    pairs: File
    notes: tuple[str, ...]
    material: Material
    digests: tuple[str, ...]
    tokenizer_sha256: str
    half: int
    text: File | None
    id: ClassVar[str] = "pairs"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {
                "pairs": self.pairs[1],
                "files": list(self.digests),
                "tokenizer": self.tokenizer_sha256,
                "text": "" if self.text is None else self.text[1],
            },
            "parameters": {
                "half": self.half,
                "notes": list(self.notes),
                **material_told(self.material),
            },
            "tools": {},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        build_pairs(
            self.pairs[0],
            self.material,
            workdir,
            half=self.half,
            text=None if self.text is None else self.text[0],
            notes=self.notes,
            listener=listener,
        )

    def ensures(self, workdir: Path) -> None:
        if not Corpus.open(workdir).rows:
            raise StepFailed("no pair is left to learn from")


@dataclass(frozen=True)
class CountAgreement:
    """Result: how many of the held-out pairs of `corpus` each of `models` agrees with, in their order."""

    models: tuple[File, ...]
    corpus: File
    threads: int
    tools: Mapping[str, str] = field(hash=False)
    id: ClassVar[str] = "agreement"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"models": [digest for _, digest in self.models], "corpus": self.corpus[1]},
            "parameters": {},
            "tools": dict(self.tools),
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        folders = [folder for folder, _ in self.models]
        agreeing(folders, self.corpus[0], workdir, threads=self.threads, listener=listener)

    def ensures(self, workdir: Path) -> None:
        if len(read_agreed(workdir).agreeing) != len(self.models):
            raise StepFailed("not every model was asked")
