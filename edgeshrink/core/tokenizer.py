"""A source tokenizer as values: what a GGUF needs of it, read from tokenizer.json or tokenizer.model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edgeshrink.core.gguf_metadata import KeyValue


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A vocabulary and its rules.

    `kind` "bpe" is byte-level BPE, "spm" is SentencePiece (or its tokenizer.json form). `token_types` are GGUF's
    (1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte). `pre_candidates` are the names of llama.cpp
    pre-tokenizers whose structure fits, most likely first; behaviour decides among them. `stop_ids` are all ids
    that end a generation (config, generation_config and the tokenizer's own).
    """

    kind: Literal["bpe", "spm"]
    tokens: tuple[bytes, ...] = field(repr=False)
    scores: tuple[float, ...] | None = field(repr=False)
    token_types: tuple[int, ...] = field(repr=False)
    merges: tuple[str, ...] | None = field(repr=False)
    bos_id: int | None
    eos_id: int | None
    unk_id: int | None
    pad_id: int | None
    stop_ids: tuple[int, ...]
    add_bos: bool
    add_eos: bool
    add_space_prefix: bool | None
    chat_template: str | None = field(repr=False)
    pre_candidates: tuple[str, ...]
    source_file: Path
    carried: tuple[KeyValue, ...] = field(default=(), repr=False)
    """A GGUF source's own `tokenizer.*` keys: they go to the new file as they are."""
    notes: tuple[str, ...] = ()
    """Where llama.cpp cannot do as the source tokenizer does, in words."""
