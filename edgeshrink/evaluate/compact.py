"""A next-token distribution in few bytes: exact for the most probable tokens, 4 bits for each of the others.

The tail is cut at TAIL_LEVELS steps down from its most probable token, and each level is stored with the mean
probability of its tokens, so that the mass of every level is exact. With p the reference, p' what is stored and q the
candidate, S = sum p' log p is computed when p is at hand, and

    KL(p || q) = S - sum p' log q,   off by   sum (p' - p) log(p / q)   <=   sum |p' - p| * max |log(p / q)|:

the error shrinks with the divergence itself, and a model has none to itself. Measured on the demo model (4,096 tokens,
1,980 positions): sum |p' - p| is 0.003, the mean KL of Q8_0 to Q2_K is off by 0.02 % at most, its p99 by 0.05 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.importance import Floats
from edgeshrink.evaluate.row_slices import ELEMENTS, in_slices
from edgeshrink.evaluate.statistics import Doubles
from edgeshrink.planning.estimate import EXACT_TOKENS, TAIL_LEVELS

_TAIL_NATS = 10.0  # below the tail's most probable token; what is less probable shares the last level
Rows = NDArray[np.void]
"""Records of `row_type`, one a position."""


def row_type(vocab_size: int) -> np.dtype[Any]:
    """One position. `top` are the ids of the most probable tokens, the argmax first; `logits` are theirs as they
    came; `normalizer` is the logarithm of the sum of all exponentials; `entropy` is S; `following` is the
    log-probability of the token that follows; `levels` are probabilities; `codes` are two a byte, the low half first.
    """
    exact = min(EXACT_TOKENS, vocab_size)
    return np.dtype(
        [
            ("normalizer", "<f8"),
            ("entropy", "<f8"),
            ("following", "<f8"),
            ("top", "<u4", (exact,)),
            ("logits", "<f4", (exact,)),
            ("levels", "<f4", (TAIL_LEVELS,)),
            ("codes", "u1", ((vocab_size + 1) // 2,)),
        ]
    )


def compact(logits: Floats, following: Sequence[int], *, threads: int = 1) -> Rows:
    """Rows (n, vocabulary) of logits and the n ids that follow, as n records. What is not finite stays so."""

    def work(piece: slice) -> Rows:
        return _slice(logits[piece], np.asarray(following[piece]))

    parts = in_slices(work, *logits.shape, threads=threads, elements=ELEMENTS)
    return np.concatenate(parts) if parts else np.zeros(0, row_type(logits.shape[1]))


def _slice(logits: Floats, following: NDArray[np.int64]) -> Rows:
    count, vocab_size = logits.shape
    rows = np.zeros(count, row_type(vocab_size))
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        shifted = logits.astype(np.float64)
        highest = shifted.max(axis=1, keepdims=True)
        shifted -= highest
        probabilities = np.exp(shifted)
        mass = probabilities.sum(axis=1, keepdims=True)
        probabilities /= mass
        shifted -= np.log(mass)  # log-probabilities, to the bit as statistics.log_softmax has them
        top = _most_probable(logits, rows["top"].shape[1])
        codes = _codes(logits, top)
        rows["top"] = top
        rows["logits"] = np.take_along_axis(logits, top, axis=1)
        rows["normalizer"] = (highest + np.log(mass))[:, 0]
        rows["following"] = shifted[np.arange(count), following]
        rows["levels"] = _levels(probabilities, codes, top)
        rows["codes"] = _packed(codes)
        rows["entropy"] = expected_log(rows, shifted)
    return rows


def expected_log(rows: Rows, logs: Doubles) -> Doubles:
    """Sum over all tokens of the stored probability times `logs` (n, vocabulary), shape (n,)."""
    expected: Doubles = np.einsum("ij,ij->i", probabilities(rows, logs.shape[1]), logs)
    return expected


def probabilities(rows: Rows, vocab_size: int) -> Doubles:
    """The stored distributions (n, vocabulary)."""
    cells = _unpacked(rows["codes"], vocab_size) + TAIL_LEVELS * np.arange(len(rows))[:, None]
    found: Doubles = rows["levels"].astype(np.float64).ravel()[cells]
    np.put_along_axis(found, rows["top"].astype(np.int64), np.exp(top_logs(rows)), axis=1)
    return found


def top_logs(rows: Rows) -> Doubles:
    """Log-probabilities of the tokens stored exactly, in the order of `top`."""
    logs: Doubles = rows["logits"].astype(np.float64) - rows["normalizer"][:, None]
    return logs


def _most_probable(logits: Floats, count: int) -> NDArray[np.int64]:
    """Ids of the `count` largest: the first of all of them first, the others as they come."""
    vocab_size = logits.shape[1]
    least = np.partition(logits, vocab_size - count, axis=1)[:, vocab_size - count, None]
    chosen = logits >= least
    chosen[chosen.sum(axis=1) != count] = False  # equal ones at the edge, or what is not finite
    top = np.empty((len(logits), count), np.int64)
    clear = chosen.any(axis=1)
    top[clear] = np.nonzero(chosen)[1].reshape(-1, count)
    if not clear.all():
        top[~clear] = np.sort(np.argsort(-logits[~clear], axis=1, kind="stable")[:, :count], axis=1)
    rows = np.arange(len(logits))
    first = (top == logits.argmax(axis=1)[:, None]).argmax(axis=1)
    top[rows, first], top[:, 0] = top[:, 0], top[rows, first]
    return top


def _codes(logits: Floats, top: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The level of every token; of those in `top`, which have none, 0."""
    tail = logits.copy()
    np.put_along_axis(tail, top, -np.inf, axis=1)
    highest = tail.max(axis=1, keepdims=True)
    np.put_along_axis(tail, top, np.inf, axis=1)
    step = np.minimum(highest - tail.min(axis=1, keepdims=True), _TAIL_NATS) / TAIL_LEVELS
    np.subtract(highest, tail, out=tail)
    tail /= np.where(step > 0, step, 1.0)
    return np.clip(tail, 0, TAIL_LEVELS - 1, out=tail).astype(np.uint8)


def _levels(probabilities: Doubles, codes: NDArray[np.uint8], top: NDArray[np.int64]) -> Doubles:
    """(n, TAIL_LEVELS): the mean probability of each level's tokens."""
    np.put_along_axis(probabilities, top, 0.0, axis=1)
    cells = (codes + TAIL_LEVELS * np.arange(len(codes))[:, None]).ravel()
    size = TAIL_LEVELS * len(codes)
    mass = np.bincount(cells, probabilities.ravel(), minlength=size).reshape(-1, TAIL_LEVELS)
    count = np.bincount(cells, minlength=size).reshape(-1, TAIL_LEVELS)
    count[:, 0] -= top.shape[1]
    return mass / np.maximum(count, 1)


def _packed(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    even = codes[:, 0::2].copy()
    even[:, : codes.shape[1] // 2] |= codes[:, 1::2] << 4
    return even


def _unpacked(packed: NDArray[np.uint8], vocab_size: int) -> NDArray[np.uint8]:
    codes = np.empty((len(packed), 2 * packed.shape[1]), np.uint8)
    codes[:, 0::2] = packed & 15
    codes[:, 1::2] = packed >> 4
    return codes[:, :vocab_size]
