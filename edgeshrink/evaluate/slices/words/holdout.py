"""Which generated facts are kept for testing: decided by the fact itself, so no list has to be kept."""

from __future__ import annotations

import zlib


def held_out(*parts: object, share: float = 0.1) -> bool:
    """Whether this combination is a test one, never generated for training."""
    return zlib.crc32("|".join(map(str, parts)).encode()) % 1000 < share * 1000
