"""One digest over many: of a folder, by the digests of its files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def combined_sha256(digests: Iterable[tuple[str, str]]) -> str:
    """One digest over (name, sha256) pairs, whatever their order."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()
