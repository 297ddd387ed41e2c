"""The folder that outlives a test run: packages that were fetched and roots that were unpacked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


def cache_folder() -> Path:
    """EDGESHRINK_LAB, or ~/.cache/edgeshrink-lab."""
    named = os.environ.get("EDGESHRINK_LAB")
    return Path(named) if named else Path.home() / ".cache" / "edgeshrink-lab"


def kept(folder: Path, build: Callable[[Path], None]) -> Path:
    """`folder`, built by `build(empty folder)` unless it is there. A build that died leaves nothing that counts."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f"{folder.name}.lock"):
        if not folder.is_dir():
            unfinished = folder.parent / f"{folder.name}.part"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            build(unfinished)
            unfinished.rename(folder)
    return folder
