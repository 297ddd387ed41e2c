"""A tokenizer.json as a Vocabulary: byte-level BPE, or BPE in SentencePiece's form (▁ for spaces, bytes as <0x..>)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeshrink.catalog.json_files import read_json
from edgeshrink.catalog.metaspace import METASPACE_NOTE, metaspace_prefixes
from edgeshrink.catalog.pretokenizers import structural_candidates
from edgeshrink.catalog.special_tokens import Framing, read_framing
from edgeshrink.catalog.vocabulary_rows import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED, Rows
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import DataError, UnsupportedModel

SPACE = "▁"
_BYTE_TOKEN = re.compile(r"<0x[0-9A-F]{2}>")
_NEAREST = "llama.cpp has no such tokenizer for these models: a GGUF could not read text as the source does"


def json_vocabulary(file: Path, facts: ModelFacts, *, text: str | None = None) -> Vocabulary:
    """The vocabulary of `file`; `text` where its tokenizer.json was made up from other files."""
    data = read_json(file) if text is None else json.loads(text)
    kind = _kind(file, data)
    merges = _merges(file, data["model"]) if kind == "bpe" else None
    ranks = _scores(data["model"]) if kind == "spm" else {}
    # The library keeps these as well, and both together would be the most memory that a build ever holds.
    for heavy in ("vocab", "merges"):
        data["model"].pop(heavy, None)
    source = _Source(file, data, _open(file, file.read_text(encoding="utf-8-sig") if text is None else text))
    framing = read_framing(file.parent, facts.config, facts.vocab_size, source.tokenizer.token_to_id)
    adds = _Added.by(framing, source)
    rows = Rows(facts.vocab_size, file)
    added = {entry["content"]: entry for entry in data.get("added_tokens") or []}
    controls = {adds.bos_id, adds.eos_id, framing.pad_id, *framing.stop_ids}
    unk = framing.unk_id if framing.unk_id is not None else source.id_of(data["model"].get("unk_token"))
    for token, number in source.tokenizer.get_vocab(with_added_tokens=True).items():
        entry = added.get(token)
        if kind == "spm" and number == unk:
            rows.put(number, token, UNKNOWN, 0.0)
        elif entry is not None:
            special = bool(entry.get("special")) or number in controls
            # llama.cpp looks for added tokens in the text as it comes, before spaces become ▁.
            spelt = token if special else token.replace(SPACE, " ")
            rows.put(number, spelt, CONTROL if special else USER_DEFINED, -1e3)
        elif kind == "spm" and _BYTE_TOKEN.fullmatch(token):
            rows.put(number, token, BYTE, 0.0)
        else:
            rows.put(number, token, NORMAL, ranks.get(token, -1e6))
    eos, eos_notes = _end(file, adds.eos_id, rows)
    return Vocabulary(
        kind=kind,
        tokens=rows.tokens,
        scores=rows.scores if kind == "spm" else None,
        token_types=rows.types,
        merges=merges,
        bos_id=adds.bos_id,
        eos_id=eos,
        unk_id=unk,
        pad_id=framing.pad_id,
        stop_ids=framing.stop_ids,
        add_bos=adds.adds_bos,
        add_eos=adds.adds_eos,
        add_space_prefix=_space_prefix(data) if kind == "spm" else None,
        chat_template=framing.chat_template,
        pre_candidates=structural_candidates(data) if kind == "bpe" else ("default",),
        source_file=file,
        notes=(*rows.notes, *adds.notes, *eos_notes, *_normalizer_notes(file, data, kind)),
    )


@dataclass(frozen=True, slots=True)
class _Source:
    file: Path
    data: Mapping[str, Any]
    tokenizer: Any

    def id_of(self, token: Any) -> int | None:
        found: int | None = self.tokenizer.token_to_id(token) if isinstance(token, str) else None
        return found

    def frame(self) -> tuple[list[int], list[int]]:
        """The ids that the post-processor puts before and after a text."""
        bare = self.tokenizer.encode("x", add_special_tokens=False).ids
        framed = self.tokenizer.encode("x", add_special_tokens=True).ids
        for start in range(len(framed) - len(bare) + 1):
            if framed[start : start + len(bare)] == bare:
                return framed[:start], framed[start + len(bare) :]
        raise UnsupportedModel(f"{self.file}: its post_processor changes the text's own ids", hint=_NEAREST)


@dataclass(frozen=True, slots=True)
class _Added:
    bos_id: int | None
    eos_id: int | None
    adds_bos: bool
    adds_eos: bool
    notes: tuple[str, ...]

    @classmethod
    def by(cls, framing: Framing, source: _Source) -> _Added:
        bos, eos = framing.bos_id, framing.eos_id
        if source.file.name != "tokenizer.json" and framing.adds_bos is not None:
            return cls(bos, eos, framing.adds_bos and bos is not None, bool(framing.adds_eos) and eos is not None, ())
        # With a tokenizer.json at hand, transformers leaves add_bos_token and add_eos_token unread.
        before, after = source.frame()
        if len(before) > 1 or len(after) > 1:
            raise UnsupportedModel(
                f"{source.file}: its post_processor puts {len(before)} tokens before and {len(after)} after a text; "
                "llama.cpp adds one at most",
                hint="move the tokens into the chat template",
            )
        notes = []
        if before and bos is not None and before[0] != bos:
            notes.append(f"BOS is token {before[0]}, which the tokenizer puts in front, not {bos} as its settings say")
        if after and eos is not None and after[0] != eos:
            notes.append(f"EOS is token {after[0]}, which the tokenizer puts at the end, not {eos} as its settings say")
        return cls(before[0] if before else bos, after[0] if after else eos, bool(before), bool(after), tuple(notes))


def _end(file: Path, eos: int | None, rows: Rows) -> tuple[int, tuple[str, ...]]:
    """An id for EOS: without one llama.cpp takes its own default, which is an ordinary token here."""
    if eos is not None and eos < len(rows.types):
        return eos, ()
    types = rows.types
    stand_in = next(
        (number for kind in (CONTROL, UNUSED) for number in range(len(types)) if types[number] == kind), None
    )
    if stand_in is None:
        raise DataError(
            f"{file}: neither it nor config.json names a token that ends a text",
            hint='add "eos_token_id" to generation_config.json',
        )
    return stand_in, (f"the source names no token that ends a text; the file names {stand_in}, which means no text",)


def _open(file: Path, text: str) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as problem:  # the library raises bare Exception
        raise DataError(f"{file} is not a tokenizer.json that the tokenizers library reads: {problem}") from problem
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _kind(file: Path, data: Mapping[str, Any]) -> Any:
    model = data.get("model")
    if not isinstance(model, Mapping):
        raise DataError(f"{file} has no model, expected an object")
    name = model.get("type", "BPE" if "merges" in model else None)
    if name != "BPE":
        raise UnsupportedModel(f"{file}: a {name} tokenizer; edgeshrink carries over BPE", hint=_NEAREST)
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        raise UnsupportedModel(f"{file}: BPE with a subword prefix or suffix", hint=_NEAREST)
    if "ByteLevel" in _types(data.get("pre_tokenizer")) | _types(data.get("normalizer")):
        return "bpe"
    if model.get("byte_fallback"):
        return "spm"
    raise UnsupportedModel(f"{file}: BPE that is neither byte-level nor SentencePiece's with bytes", hint=_NEAREST)


def _types(node: Any) -> set[str]:
    """All `type` names in a normalizer, pre_tokenizer or decoder node."""
    if not isinstance(node, Mapping):
        return set()
    inner = [*node.get("pretokenizers", ()), *node.get("normalizers", ()), *node.get("decoders", ())]
    return {str(node.get("type"))}.union(*(_types(entry) for entry in inner))


def _merges(file: Path, model: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(_merge(file, merge) for merge in model.get("merges", ()))


def _merge(file: Path, merge: Any) -> str:
    pair = merge.split(" ") if isinstance(merge, str) else list(merge)
    if len(pair) != 2 or any(" " in part or not part for part in pair):
        raise UnsupportedModel(
            f"{file}: merge {pair!r}: GGUF writes a merge as two tokens with one space between", hint=_NEAREST
        )
    return f"{pair[0]} {pair[1]}"


def _scores(model: Mapping[str, Any]) -> dict[str, float]:
    """SentencePiece scores that rank pairs as the merges do: the earlier a piece is made, the higher."""
    scores: dict[str, float] = {}
    for rank, merge in enumerate(model.get("merges", ())):
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        scores.setdefault(left + right, float(-rank))
    return scores


def _space_prefix(data: Mapping[str, Any]) -> bool:
    """Whether a space goes before a text: a Prepend normalizer, or a Metaspace that is told so."""
    return "Prepend" in _types(data.get("normalizer")) or metaspace_prefixes(data)


def _normalizer_notes(file: Path, data: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    kinds = _types(data.get("normalizer")) - {"Sequence"}
    known = {"ByteLevel"} if kind == "bpe" else {"Prepend", "Replace"}
    rest = kinds - known - {"NFC"}
    if rest:
        raise UnsupportedModel(
            f"{file}: its normalizer changes text ({', '.join(sorted(rest))}) before tokenizing", hint=_NEAREST
        )
    if "NFC" in kinds:
        return ("the source composes characters (NFC) before tokenizing; llama.cpp takes text as it comes",)
    return (METASPACE_NOTE,) if kind == "spm" and metaspace_prefixes(data) else ()
