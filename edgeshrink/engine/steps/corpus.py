"""Step: the text to learn from, cut into rows of tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.catalog.overlap import Items
from edgeshrink.catalog.texts import Text
from edgeshrink.compress.corpus.build import build_corpus
from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.corpus.licences import licence_of
from edgeshrink.core.events import Listener
from edgeshrink.core.shrinking_request import Learn
from edgeshrink.errors import DataError


@dataclass(frozen=True)
class BuildCorpus:
    """Result: a folder that `Corpus.open` reads. `digests` are those of `paths`; `kept_apart` is what a suite asks."""

    paths: tuple[Path, ...]
    digests: tuple[str, ...]
    tokenizer: Path
    tokenizer_sha256: str
    length: int
    limit_tokens: int | None
    held_out: float
    seed: int
    learn: Learn
    kept_apart: tuple[Text, ...] = field(repr=False)
    kept_items: tuple[Items, ...] = field(repr=False)
    id: ClassVar[str] = "corpus"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"data": list(self.digests), "tokenizer": self.tokenizer_sha256},
            "parameters": {
                "length": self.length,
                "limit_tokens": self.limit_tokens,
                "held_out": self.held_out,
                "seed": self.seed,
                "learn": self.learn,
                **data_told(self.paths, self.kept_apart, self.kept_items),
            },
            "tools": {},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        build_corpus(
            self.paths,
            self.tokenizer,
            workdir,
            length=self.length,
            limit_tokens=self.limit_tokens,
            held_out=self.held_out,
            seed=self.seed,
            learn=self.learn,
            kept_apart=self.kept_apart,
            kept_items=self.kept_items,
            listener=listener,
        )

    def ensures(self, workdir: Path) -> None:
        if not Corpus.open(workdir).rows:
            raise DataError(
                f"{', '.join(path.name for path in self.paths)}: not one row of {self.length} tokens to learn from",
                hint="give more text, or a smaller --length",
            )


def data_told(paths: Sequence[Path], kept_apart: Sequence[Text], kept_items: Sequence[Items]) -> dict[str, Any]:
    """Of a key: what a corpus tells of its data beside the rows, and what must not stand in it."""
    return {
        "names": [path.name for path in paths],
        "licences": [licence_of(path) for path in paths],
        "kept_apart": [text.sha256 for text in kept_apart],
        "kept_items": [[items.name, _digest(items)] for items in kept_items],
    }


def _digest(items: Items) -> str:
    return hashlib.sha256("\0".join(items.items).encode()).hexdigest()
