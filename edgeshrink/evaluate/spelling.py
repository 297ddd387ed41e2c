"""How a vocabulary spells: the bytes of tokens, so that models that cut a text differently can be held side by side.

On disk, beside a reference: `pieces.json`, the bytes of every id of its windows in hexadecimal digits, and which of
them are control tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeshrink.errors import DataError
from edgeshrink.evaluate.bits import Bits
from edgeshrink.evaluate.distances import Distances, distances
from edgeshrink.evaluate.statistics import Doubles
from edgeshrink.evaluate.windows import Windows
from edgeshrink.runtimes.interface import Session

PIECES = "pieces.json"


@dataclass(frozen=True, slots=True)
class Spelling:
    """`pieces`: the bytes of each id inside a text. `control`: ids that stand for no text, whatever they spell."""

    pieces: Mapping[int, bytes]
    control: frozenset[int]

    @classmethod
    def of(cls, session: Session, ids: Iterable[int]) -> Spelling:
        pieces = {token: session.piece(token, special=True) for token in sorted(set(ids))}
        return cls(pieces, frozenset(token for token, piece in pieces.items() if piece != session.piece(token)))

    def bits(self, found: Distances, following: Sequence[int]) -> Bits:
        """Of two models with this vocabulary, and the ids that follow the positions of `found`."""
        text = np.array([token not in self.control for token in following])
        nbytes = self.nbytes(following)
        return Bits(np.where(text, found.nll, 0.0), nbytes, np.where(text, found.reference_nll, 0.0), nbytes)

    def nbytes(self, ids: Iterable[int]) -> NDArray[np.int64]:
        """Of each of `ids`: the bytes that it adds to a text."""
        return np.array([0 if token in self.control else len(self.pieces[token]) for token in ids], np.int64)


def write_spelling(folder: Path, spelling: Spelling) -> None:
    content = {
        "pieces": {str(token): piece.hex() for token, piece in spelling.pieces.items()},
        "control": sorted(spelling.control),
    }
    (folder / PIECES).write_text(json.dumps(content), encoding="utf-8")


def read_spelling(folder: Path) -> Spelling:
    """What `write_spelling` left in `folder`; DataError where it is not whole."""
    path = folder / PIECES
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        pieces = {int(token): bytes.fromhex(piece) for token, piece in content["pieces"].items()}
        return Spelling(pieces, frozenset(map(int, content["control"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not the spelling of a reference: {error}", hint="run it again") from error


def another_vocabulary(session: Session, reference: Spelling, vocab_size: int) -> str:
    """Why ids of `session` are not those of a reference of `vocab_size` tokens; "" where they are."""
    if session.vocab_size != vocab_size:
        told = f"{session.vocab_size:,} tokens, the reference has {vocab_size:,}"
    elif other := _spelled_otherwise(session, reference):
        told = f"{other:,} of the {len(reference.pieces):,} tokens of these texts are spelled otherwise"
    else:
        return ""
    return f"its vocabulary is another: {told}; what texts cost is compared in bits per byte"


def _spelled_otherwise(session: Session, reference: Spelling) -> int:
    text = ((token, piece) for token, piece in reference.pieces.items() if token not in reference.control)
    return sum(session.piece(token, special=True) != piece for token, piece in text)


@dataclass(frozen=True, slots=True)
class OwnTokens:
    """Reads a reference's windows as the text that they spell, in the tokens of `session`, of which at most `context`
    are run a window: bytes beyond them count for neither side.

    A token counts where its first byte stands. The first one that begins behind the last byte before the scored
    positions is the first that counts, so both sides score the same bytes but for a token's length a window.
    """

    session: Session
    reference: Spelling
    context: int
    threads: int

    def bits(self, windows: Windows, reference_nll: Doubles) -> Iterator[Bits]:
        """One of each window; `reference_nll` is that of all scored positions, window after window."""
        for number, ids in enumerate(windows.ids):
            start = number * windows.scored_each
            yield self._of_window(ids, windows.first, reference_nll[start : start + windows.scored_each])

    def _of_window(self, ids: Sequence[int], first: int, reference_nll: Doubles) -> Bits:
        pieces = [self.reference.pieces[token] for token in ids]
        if ids[0] in self.reference.control:
            pieces[0] = b""  # BOS, which no text spells
        ends = np.cumsum([len(piece) for piece in pieces])
        text, skipped = _characters(b"".join(pieces))
        own, begins, covered = self._cut(text)
        cell = np.searchsorted(ends, begins + skipped, side="right") - (first + 1)
        following = np.asarray(ids[first + 1 :], np.int64)
        counted = np.array([token not in self.reference.control for token in following.tolist()])
        counted &= (ends - [len(piece) for piece in pieces])[first + 1 :] < covered + skipped
        takes = (cell >= 0) & (cell < len(following))
        takes[takes] = counted[cell[takes]]
        takes[:1] = False  # nothing stands before the first token to predict it from
        own_nll, widths = self._nll(own), np.diff(begins, append=covered)
        nll, nbytes = np.zeros(len(following)), np.zeros(len(following), np.int64)
        np.add.at(nll, cell[takes], own_nll[takes])
        np.add.at(nbytes, cell[takes], widths[takes])
        return Bits(
            nll=nll,
            nbytes=nbytes,
            reference_nll=np.where(counted, reference_nll, 0.0),
            reference_nbytes=np.where(counted, self.reference.nbytes(following.tolist()), 0),
        )

    def _cut(self, text: bytes) -> tuple[list[int], NDArray[np.int64], int]:
        """Ids of `text`, the byte at which each begins, and how many bytes of it they take."""
        session = self.session
        ids = session.tokenize(text.decode("utf-8", "replace"), add_special=False, parse_special=True)
        sizes = [len(session.piece(token, special=True)) for token in ids]
        before = int(sum(sizes) == len(text) + 1)  # a space that the tokenizer puts in front of every text
        if session.adds_bos and session.bos_id is not None:
            ids, sizes = [session.bos_id, *ids], [0, *sizes]
        ends = np.clip(np.cumsum(sizes[: self.context]) - before, 0, len(text))
        return ids[: self.context], np.concatenate([[0], ends[:-1]]), int(ends[-1])

    def _nll(self, ids: Sequence[int]) -> Doubles:
        """(n,) nats of each of `ids` behind those before it; of the first, 0."""
        found, done = [np.zeros(1)], 0
        for rows in self.session.iter_logits(tuple(ids)):
            following = ids[done + 1 : done + 1 + len(rows)]
            if following:
                found.append(distances(rows[: len(following)], None, following, threads=self.threads).nll)
            done += len(rows)
        return np.concatenate(found)


def _characters(text: bytes) -> tuple[bytes, int]:
    """`text` without what is left of a character at either end, and how many bytes that is at its beginning."""
    skipped = next((at for at, byte in enumerate(text) if byte & 0xC0 != 0x80), len(text))
    last = len(text)
    while last > skipped and len(text) - last < 4:
        try:
            text[skipped:last].decode("utf-8")
            return text[skipped:last], skipped
        except UnicodeDecodeError:
            last -= 1
    return text[skipped:], skipped
