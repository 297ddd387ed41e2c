"""What every external tool offers: to be found, and to say its version."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FoundTool:
    """A program that is there and answers. `version` is "" where it names none."""

    path: Path
    version: str


def first_that_answers(names: Iterable[str], arguments: tuple[str, ...] = ("--version",)) -> FoundTool | None:
    """The first of `names` on the PATH that runs; None where none does."""
    for name in names:
        path = shutil.which(name)
        if path is None:
            continue
        try:
            done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        # Microsoft's cl prints its version to stderr and leaves with an error, as it was given no source.
        if done.returncode == 0 or name == "cl":
            return FoundTool(Path(path), version_in(done.stdout + done.stderr))
    return None


def beside_python(name: str) -> str:
    """Where pip puts the script `name` of a package that is installed for this Python, on the PATH or not."""
    return str(Path(sys.executable).parent / name)


def version_in(text: str) -> str:
    """The first thing in `text` that looks like a version: "12.2.0"."""
    match = re.search(r"\b\d+\.\d+(?:\.\d+)*\b", text)
    return match[0] if match else ""
