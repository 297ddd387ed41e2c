"""A model with other tokens reads a reference's windows: every byte is counted once, for both sides or for neither."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.errors import DataError
from edgeshrink.evaluate.bits import Bits
from edgeshrink.evaluate.spelling import OwnTokens, Spelling, another_vocabulary, read_spelling, write_spelling
from edgeshrink.evaluate.windows import Windows

BOS, MARK = 256, 257
LOGITS = np.random.default_rng(4).normal(0, 2, 258).astype(np.float32)
COST = -(LOGITS - np.logaddexp.reduce(LOGITS.astype(np.float64)))
PIECES = {0: b"<s>", 1: b" w", 2: b"oman", 3: "ä".encode()[:1], 4: "ä".encode()[1:], 5: b"<|end|>", 6: b"", 7: b"xyz"}


class OneByteATime:
    """A session whose tokens are bytes, each of which costs the same wherever it stands; two more are no text."""

    vocab_size, adds_bos, bos_id = 258, True, BOS

    def __init__(self, prefix: bytes = b"", batch: int = 5) -> None:
        self.prefix, self.batch, self.run = prefix, batch, list[tuple[int, ...]]()

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        assert not add_special and parse_special
        return list(self.prefix + text.encode())

    def piece(self, token: int, *, special: bool = False) -> bytes:
        return bytes([token]) if token < BOS else b"<>" if special else b""

    def iter_logits(self, ids: Sequence[int]) -> Iterator[Any]:
        self.run.append(tuple(ids))
        for start in range(0, len(ids), self.batch):
            yield np.tile(LOGITS, (len(ids[start : start + self.batch]), 1))


class Reference:
    """Spells the ids of PIECES."""

    vocab_size = 8

    def piece(self, token: int, *, special: bool = False) -> bytes:
        return PIECES[token] if special or token not in (0, 5) else b""


def read(ids: Sequence[int], first: int, session: OneByteATime, context: int = 4096) -> Bits:
    spelling = Spelling.of(Reference(), ids)  # type: ignore[arg-type]
    own = OwnTokens(session, spelling, context, 1)  # type: ignore[arg-type]
    nll = np.arange(1.0, len(ids) - first)
    (found,) = own.bits(Windows((tuple(ids),), first), nll)
    return found


def cost(text: bytes) -> float:
    return float(COST[list(text)].sum())


@pytest.mark.parametrize("prefix", [b"", b" "])
def test_what_a_token_spells_costs_what_its_bytes_do(prefix: bytes) -> None:
    session = OneByteATime(prefix)
    found = read([0, 1, 2, 1, 2, 6, 7, 3, 4], 2, session)
    spelled = [b" w", b"oman", b"", b"xyz", *(bytes([byte]) for byte in "ä".encode())]
    assert session.run == [(BOS, *prefix, *b" woman womanxyz", *"ä".encode())]
    assert found.nll == pytest.approx([cost(piece) for piece in spelled])
    assert found.nbytes.tolist() == found.reference_nbytes.tolist() == [len(piece) for piece in spelled]
    assert found.reference_nll.tolist() == [1, 2, 3, 4, 5, 6]


def test_a_mark_that_is_no_text_counts_for_neither_side() -> None:
    found = read([0, 1, 2, 5, 7, 5], 1, OneByteATime())
    assert found.nll == pytest.approx([cost(b"oman"), 0, cost(b"xyz"), 0])
    assert found.nbytes.tolist() == found.reference_nbytes.tolist() == [4, 0, 3, 0]
    assert found.reference_nll.tolist() == [1, 0, 3, 0]


def test_halves_of_characters_at_the_ends_of_a_window_are_left_out() -> None:
    session = OneByteATime()
    found = read([4, 1, 2, 7, 3], 1, session)
    assert session.run == [(BOS, *b" womanxyz")]
    assert found.nll == pytest.approx([cost(b"oman"), cost(b"xyz"), 0])
    assert found.reference_nbytes.tolist() == found.nbytes.tolist() == [4, 3, 0]
    assert found.reference_nll.tolist() == [1, 2, 0]


def test_what_its_context_does_not_hold_counts_for_neither_side() -> None:
    session = OneByteATime()
    found = read([0, 1, 2, 1, 2, 7, 7], 1, session, context=1 + 8)  # BOS and " woman w"
    assert len(session.run[0]) == 9
    assert found.nbytes.tolist() == found.reference_nbytes.tolist() == [4, 2, 0, 0, 0]
    assert found.reference_nll.tolist() == [1, 2, 0, 0, 0]


def test_a_token_that_reaches_over_the_boundary_counts_where_it_begins() -> None:
    class Pairs(OneByteATime):
        def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
            return [min(data) for data in zip(*[iter(text.encode())] * 2, strict=True)]

        def piece(self, token: int, *, special: bool = False) -> bytes:
            return b"??" if token < BOS else b""

    found = read([0, 1, 7, 7, 2], 1, Pairs())  # " w" | "xy" "zx" "yz" | "om" "an"
    assert found.nbytes.tolist() == [4, 2, 4] and found.reference_nbytes.tolist() == [3, 3, 4]


def test_another_vocabulary_is_told_by_its_size_or_its_spelling() -> None:
    spelling = Spelling.of(Reference(), [0, 1, 2])  # type: ignore[arg-type]
    same: Any = Reference()
    assert another_vocabulary(same, spelling, 8) == ""
    assert "8 tokens, the reference has 9" in another_vocabulary(same, spelling, 9)
    other = Spelling({**spelling.pieces, 1: b"elsewhere", 0: b"[BOS]"}, spelling.control)
    assert "1 of the 3 tokens of these texts are spelled otherwise" in another_vocabulary(same, other, 8)


def test_a_spelling_reads_back_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    spelling = Spelling.of(Reference(), PIECES)  # type: ignore[arg-type]
    write_spelling(tmp_path, spelling)
    assert read_spelling(tmp_path) == spelling and spelling.control == {0, 5}
    (tmp_path / "pieces.json").write_text('{"pieces": {"1": "zz"}, "control": []}', encoding="utf-8")
    with pytest.raises(DataError, match="is not the spelling of a reference"):
        read_spelling(tmp_path)
