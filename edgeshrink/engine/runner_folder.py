"""Where built runners are kept."""

from __future__ import annotations

import os
from pathlib import Path

from edgeshrink.store import store_root


def runner_folder() -> Path:
    """EDGESHRINK_RUNNERS, else `runners` in the store."""
    given = os.environ.get("EDGESHRINK_RUNNERS")
    return Path(given).expanduser().absolute() if given else store_root() / "runners"
