"""edgeshrink itself as one zip that a Python on a device imports: modules and prompt text, without models and data."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import edgeshrink

NAME = "edgeshrink.zip"
_SUFFIXES = (".py", ".txt")
_LEFT_OUT = ("_data", "_demo", "_runner", "commands", "engine", "report")
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)


def write_package(folder: Path) -> tuple[Path, str]:
    """Write the zip into `folder`; the file and its sha256. Equal sources give equal bytes."""
    root = Path(edgeshrink.__file__).parent
    file = folder / NAME
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(root)
            if path.suffix in _SUFFIXES and inside.parts[0] not in _LEFT_OUT:
                entry = zipfile.ZipInfo(f"edgeshrink/{inside.as_posix()}", _FIXED_TIME)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())
    return file, hashlib.sha256(file.read_bytes()).hexdigest()
