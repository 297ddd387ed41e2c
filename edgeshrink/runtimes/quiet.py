"""What keeps libraries from telling their makers: set before they are imported, unless the person set it otherwise."""

from __future__ import annotations

import os
from typing import Final

# onnxruntime's packages from 1.31 on tell Microsoft about every session, and leave a file in the user's cache.
QUIET: Final = {"ORT_DISABLE_TELEMETRY": "1"}


def keep_quiet() -> None:
    """In this very process: a command that opens an artifact itself."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
