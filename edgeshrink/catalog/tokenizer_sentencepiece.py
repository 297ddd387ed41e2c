"""A SentencePiece tokenizer.model (with tokenizer_config.json's added tokens) as a Vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeshrink.catalog.json_files import read_json_if_there, refuse_pointer
from edgeshrink.catalog.special_tokens import read_framing
from edgeshrink.catalog.vocabulary_rows import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED, Rows
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import DataError

SPACE = "▁"


def sentencepiece_vocabulary(file: Path, facts: ModelFacts) -> Vocabulary:
    """The vocabulary of `file`, as transformers' Llama tokenizer reads it: BOS in front unless told otherwise."""
    processor = open_sentencepiece(file)
    added = _added_tokens(file.parent)
    ids = {processor.id_to_piece(number): number for number in range(processor.get_piece_size())} | {
        text: number for number, (text, _) in added.items()
    }
    framing = read_framing(file.parent, facts.config, facts.vocab_size, ids.get)
    bos = framing.bos_id if framing.bos_id is not None else _valid(processor.bos_id())
    eos = framing.eos_id if framing.eos_id is not None else _valid(processor.eos_id())
    stops = framing.stop_ids or (() if eos is None else (eos,))
    rows = Rows(facts.vocab_size, file)
    for number in range(processor.get_piece_size()):
        if number not in added:
            rows.put(number, processor.id_to_piece(number), _type(processor, number), processor.get_score(number))
    for number, (text, special) in added.items():
        control = special or number in stops
        kind = UNKNOWN if number == processor.unk_id() else CONTROL if control else USER_DEFINED
        rows.put(number, text if control else text.replace(SPACE, " "), kind, -1e3)
    return Vocabulary(
        kind="spm",
        tokens=rows.tokens,
        scores=rows.scores,
        token_types=rows.types,
        merges=None,
        bos_id=bos,
        eos_id=eos,
        unk_id=framing.unk_id if framing.unk_id is not None else _valid(processor.unk_id()),
        pad_id=framing.pad_id if framing.pad_id is not None else _valid(processor.pad_id()),
        stop_ids=stops,
        add_bos=bos is not None and framing.adds_bos is not False,
        add_eos=eos is not None and bool(framing.adds_eos),
        add_space_prefix=processor.encode_as_pieces("a")[:1] != ["a"],
        chat_template=framing.chat_template,
        pre_candidates=("default",),
        source_file=file,
        notes=rows.notes,
    )


def open_sentencepiece(file: Path) -> Any:
    """The file in the sentencepiece library. DataError where it is no model of it."""
    from sentencepiece import SentencePieceProcessor

    raw = file.read_bytes()
    refuse_pointer(file, raw)
    processor = SentencePieceProcessor()
    try:
        loaded = processor.LoadFromSerializedProto(raw)
    except RuntimeError as problem:
        raise DataError(f"{file} is not a SentencePiece model: {problem}") from problem
    if not loaded or not processor.get_piece_size():
        raise DataError(f"{file} is not a SentencePiece model")
    return processor


def _added_tokens(folder: Path) -> dict[int, tuple[str, bool]]:
    """id -> (text, special), from added_tokens.json and tokenizer_config.json."""
    found = {number: (str(text), False) for text, number in read_json_if_there(folder / "added_tokens.json").items()}
    decoder = read_json_if_there(folder / "tokenizer_config.json").get("added_tokens_decoder", {})
    for number, entry in decoder.items():
        found[int(number)] = (str(entry["content"]), bool(entry.get("special")))
    return found


def _type(processor: Any, number: int) -> int:
    if processor.is_unknown(number):
        return UNKNOWN
    if processor.is_control(number):
        return CONTROL
    if processor.is_unused(number):
        return UNUSED
    return BYTE if processor.is_byte(number) else NORMAL


def _valid(number: int) -> int | None:
    return number if number >= 0 else None
