"""Step: the text to learn from, cut into rows of tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.catalog.overlap import Items
from edgeshrink.compress.corpus.build import build_corpus
from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.corpus.licences import licence_of
from edgeshrink.compress.corpus.material import Material
from edgeshrink.core.events import Listener
from edgeshrink.core.shrinking_request import Learn
from edgeshrink.errors import DataError


@dataclass(frozen=True)
class BuildCorpus:
    """Result: a folder that `Corpus.open` reads. `digests` are those of the material's paths."""

    material: Material
    digests: tuple[str, ...]
    tokenizer_sha256: str
    length: int
    limit_tokens: int | None
    learn: Learn
    id: ClassVar[str] = "corpus"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"data": list(self.digests), "tokenizer": self.tokenizer_sha256},
            "parameters": {
                "length": self.length,
                "limit_tokens": self.limit_tokens,
                "learn": self.learn,
                **material_told(self.material),
            },
            "tools": {},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        build_corpus(
            self.material,
            workdir,
            length=self.length,
            limit_tokens=self.limit_tokens,
            learn=self.learn,
            listener=listener,
        )

    def ensures(self, workdir: Path) -> None:
        if not Corpus.open(workdir).rows:
            names = ", ".join(path.name for path in self.material.paths)
            raise DataError(
                f"{names}: not one row of {self.length} tokens to learn from",
                hint="give more text, or a smaller --length",
            )


def material_told(material: Material) -> dict[str, Any]:
    """Of a key: all of `material` but the bytes of its files."""
    return {
        "names": [path.name for path in material.paths],
        "licences": [licence_of(path) for path in material.paths],
        "held_out": material.held_out,
        "seed": material.seed,
        "kept_apart": [text.sha256 for text in material.kept_apart],
        "kept_items": [[items.name, _digest(items)] for items in material.kept_items],
    }


def _digest(items: Items) -> str:
    return hashlib.sha256("\0".join(items.items).encode()).hexdigest()
