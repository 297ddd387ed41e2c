"""The llama.cpp pre-tokenizer that gives the source tokenizer's ids: found by structure, proven by behaviour.

For each candidate a GGUF of nothing but the vocabulary is written and opened by llama.cpp in a child process (a
vocabulary that the library does not like ends the process), and both tokenizers read the same hard strings. No list
of known tokenizers is consulted: one that somebody trained yesterday is as welcome as a famous one.
"""

from __future__ import annotations

import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.catalog.source_tokenizer import SourceTokenizer, open_source_tokenizer
from edgeshrink.core.events import silent
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import RuntimeFailed, UnsupportedModel
from edgeshrink.export.gguf.proof_strings import hard_strings, special_strings, vocabulary_strings
from edgeshrink.export.gguf.vocabulary import unstoppable, vocabulary_metadata
from edgeshrink.export.gguf.write import write_gguf
from edgeshrink.planning.gguf_metadata import model_metadata
from edgeshrink.runtimes.child import run_job

JOB = "edgeshrink.export.gguf.pretokenizer_job:tokenize"
_SHOWN = 3
_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Proof:
    """`pre` gives the source's ids on all of `strings` texts; `tried` are the names that were asked, `pre` the last.

    `notes` say where llama.cpp differs from the source tokenizer all the same: beside special tokens, or where the
    source normalizes text.
    """

    pre: str
    strings: int
    tried: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    """One text, as it is read with special tokens parsed or not, and the ids that are expected."""

    text: str
    parse_special: bool
    expected: tuple[int, ...]
    decisive: bool


@dataclass(frozen=True, slots=True)
class _Difference:
    case: _Case
    found: tuple[int, ...]


def prove_pretokenizer(facts: ModelFacts, vocabulary: Vocabulary) -> Proof:
    """The first candidate that agrees on every text. UnsupportedModel, with the texts, where none does.

    A GGUF source has no other tokenizer to be compared with: its own name goes on.
    """
    if vocabulary.carried:
        return Proof(vocabulary.pre_candidates[0], 0, notes=("the tokenizer is the GGUF's own, carried over as it is",))
    source = open_source_tokenizer(facts, vocabulary)
    cases = _cases(source, vocabulary)
    nearest: tuple[str, list[_Difference]] | None = None
    reasons: list[str] = []
    for number, pre in enumerate(vocabulary.pre_candidates, start=1):
        try:
            differences = _compare(facts, vocabulary, pre, cases)
        except RuntimeFailed as problem:
            reasons.append(f"{pre}: {problem.message}")
            continue
        decisive = [entry for entry in differences if entry.case.decisive]
        if not decisive:
            notes = (*vocabulary.notes, *_side_notes(differences, len(cases)), *_stop_notes(vocabulary))
            return Proof(pre, len(cases), vocabulary.pre_candidates[:number], notes)
        if nearest is None or len(decisive) < len(nearest[1]):
            nearest = (pre, decisive)
    raise _none_agrees(vocabulary, nearest, len(cases), reasons)


def _cases(source: SourceTokenizer, vocabulary: Vocabulary) -> list[_Case]:
    plain = [*hard_strings(), *vocabulary_strings(vocabulary)]
    if source.composes:
        plain = [unicodedata.normalize("NFC", text) for text in plain]
    plain = list(dict.fromkeys(plain))
    modes = (False, True) if source.parses_special else (False,)
    cases = [
        _Case(text, mode, tuple(ids), decisive=True)
        for mode in modes
        for text, ids in zip(plain, source.encode(plain, parse_special=mode), strict=True)
    ]
    alone, beside = special_strings(source.added)
    for texts, mode, decisive in ((alone, True, True), (beside, True, False), (alone, False, False)):
        encoded = source.encode(texts, parse_special=mode)
        cases += [_Case(text, mode, tuple(ids), decisive) for text, ids in zip(texts, encoded, strict=True)]
    return cases


def _compare(facts: ModelFacts, vocabulary: Vocabulary, pre: str, cases: list[_Case]) -> list[_Difference]:
    with tempfile.TemporaryDirectory(prefix="edgeshrink-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "vocabulary.gguf"
        write_vocabulary(file, facts, vocabulary, pre)
        answer = run_job(
            JOB,
            {"file": str(file), "cases": [[case.text, case.parse_special] for case in cases]},
            timeout_s=_TIMEOUT_S,
        )
    found = answer["ids"]
    assert isinstance(found, list)
    return [
        _Difference(case, tuple(ids)) for case, ids in zip(cases, found, strict=True) if tuple(ids) != case.expected
    ]


def write_vocabulary(file: Path, facts: ModelFacts, vocabulary: Vocabulary, pre: str) -> None:
    """A GGUF that holds the tokenizer and no tensor: llama.cpp opens it with `vocab_only`."""
    metadata: tuple[KeyValue, ...] = (
        *model_metadata(facts, file_type=0, name="vocabulary"),
        *vocabulary_metadata(vocabulary, pre),
    )
    write_gguf(file, metadata, (), {}, importance=None, threads=1, listener=silent)


def _side_notes(differences: list[_Difference], total: int) -> tuple[str, ...]:
    if not differences:
        return ()
    return (
        f"around special tokens written out in a text, llama.cpp differs from the source tokenizer on "
        f"{len(differences)} of {total} strings: {_shown(differences)}",
    )


def _stop_notes(vocabulary: Vocabulary) -> tuple[str, ...]:
    return tuple(
        f"token {number} {vocabulary.tokens[number]!r} ends a generation in the source, and llama.cpp has no key left "
        "to be told so"
        for number in unstoppable(vocabulary)
    )


def _shown(differences: list[_Difference]) -> str:
    examples = (
        f"{_short(entry.case.text)} is {_ids(entry.case.expected)} in the source, {_ids(entry.found)} in llama.cpp"
        for entry in differences[:_SHOWN]
    )
    return "; ".join(examples)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _ids(ids: tuple[int, ...]) -> str:
    return str(list(ids)) if len(ids) <= 12 else f"{list(ids[:12])!s:.60}... ({len(ids)} ids)"


def _none_agrees(
    vocabulary: Vocabulary, nearest: tuple[str, list[_Difference]] | None, total: int, reasons: list[str]
) -> UnsupportedModel:
    file = vocabulary.source_file
    hint = "a file that reads text differently would answer worse without anyone seeing why, so none is written"
    if nearest is None:
        why = "; ".join(reasons[:_SHOWN])
        return UnsupportedModel(f"{file}: llama.cpp opens this vocabulary in no form: {why}", hint=hint)
    pre, differences = nearest
    tried = len(vocabulary.pre_candidates)
    return UnsupportedModel(
        f"{file}: llama.cpp reads text differently with every one of the {tried} pre-tokenizers tried; the nearest, "
        f"{pre}, on {len(differences)} of {total} strings: {_shown(differences)}",
        hint=hint,
    )
