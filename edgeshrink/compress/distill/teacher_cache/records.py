"""A row of a teacher cache as bytes: for each position but the last, the tokens that may follow it.

    checksum   uint32           crc32 of the row's tokens as little-endian int32: is this the row that was asked for?
    top_ids    uint16 | uint32  (length - 1, top): the likeliest tokens, likeliest first
    top_logs   float16          their log-probabilities at temperature 1, nats
    tail_log   float16          (length - 1,): the log of the probability of all other tokens together
    draw_ids   uint16 | uint32  (length - 1, draws): from all other tokens, each as often as it is likely
    draw_logs  uint8            their log-probabilities, in steps of -1/8 nat

Ids take two bytes up to 65,536 tokens. A position whose next token does not count is all zeros.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.compress.distill.teacher_cache.settings import CacheSettings

ENTRIES = ("top_ids", "top_logs", "tail_log", "draw_ids", "draw_logs")
STEPS_PER_NAT = 8
_LOWEST = 255


def row_type(vocab_size: int, length: int, settings: CacheSettings) -> np.dtype[Any]:
    """Packed, little endian."""
    ids = "<u2" if vocab_size <= 1 << 16 else "<u4"
    top, draws = (length - 1, min(settings.top, vocab_size)), (length - 1, settings.draws)
    return np.dtype(
        [
            ("checksum", "<u4"),
            ("top_ids", ids, top),
            ("top_logs", "<f2", top),
            ("tail_log", "<f2", length - 1),
            ("draw_ids", ids, draws),
            ("draw_logs", "u1", draws),
        ]
    )


def checksums(tokens: NDArray[Any]) -> NDArray[np.uint32]:
    """Of each row of tokens (rows, length)."""
    return np.array([zlib.crc32(row.tobytes()) for row in np.ascontiguousarray(tokens, "<i4")], np.uint32)


def coded(logs: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Log-probabilities of draws as they are stored; below -31.9 nats they are -31.9."""
    return np.clip(np.rint(-logs * STEPS_PER_NAT), 0, _LOWEST).astype(np.uint8)


def decoded(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Log-probabilities of draws, within 1/16 nat."""
    return codes.astype(np.float32) * np.float32(-1 / STEPS_PER_NAT)
