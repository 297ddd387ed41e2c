"""The licence texts that stand beside a source model's weights: they travel with whatever is built from them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 1 << 20
MOST_FILES: Final = 10
_STEMS = ("LICENSE", "LICENCE", "NOTICE", "COPYING", "USE_POLICY")
# As on the hub: LICENSE, LICENSE.txt, LICENSE-MODEL, USE_POLICY.md. Nothing that could run.
_NAME = re.compile(rf"({'|'.join(_STEMS)})([-_][a-z0-9_-]{{1,60}})?(\.(txt|md))?", re.IGNORECASE)
LICENCE_PATTERNS: Final = tuple(
    pattern
    for stem in (*_STEMS, *(stem.capitalize() for stem in _STEMS), *(stem.lower() for stem in _STEMS))
    for pattern in (stem, f"{stem}.txt", f"{stem}.md", f"{stem}[-_]*")
)
"""For the hub's client; what it brings is looked at by name once more."""


def find_licence_files(source: Path) -> tuple[Path, ...]:
    """In the model folder `source`, in name order: at most MOST_FILES, none over MOST_BYTES; of two names that differ
    by case alone the first. None where `source` is a file: what lies beside a lone file is not known to be its."""
    if not source.is_dir():
        return ()
    named = sorted(path for path in source.iterdir() if _NAME.fullmatch(path.name))
    found: dict[str, Path] = {}
    for path in named:
        if path.is_file() and 0 < path.stat().st_size <= MOST_BYTES:
            found.setdefault(path.name.lower(), path)
    return tuple(found.values())[:MOST_FILES]
