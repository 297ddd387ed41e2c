"""Small facts that outlive a run (a machine's calibration, a file's digest): one JSON file each, replaced whole."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def write_atomically(path: Path, text: str) -> None:
    """Write beside `path`, then rename over it: a reader sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@dataclass(frozen=True, slots=True)
class Notes:
    """A folder of JSON notes."""

    folder: Path

    def read(self, name: str) -> dict[str, Any] | None:
        """The note, or None where there is none (or a broken one: it will be written again)."""
        try:
            value = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def write(self, name: str, value: Mapping[str, Any]) -> None:
        write_atomically(self.folder / f"{name}.json", json.dumps(value, sort_keys=True, indent=1) + "\n")
