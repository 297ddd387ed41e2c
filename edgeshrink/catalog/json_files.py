"""JSON files of a model folder, with errors that name the file and the line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgeshrink.errors import DataError

POINTER = b"version https://git-lfs"


def read_json(path: Path) -> dict[str, Any]:
    """The object in `path`. DataError where it cannot be read, is no JSON or no object."""
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise DataError(f"{path} cannot be read: {problem.strerror or problem}") from problem
    refuse_pointer(path, raw[: len(POINTER)])
    try:
        value = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as problem:
        raise DataError(f"{path} is not UTF-8 text (byte {problem.start})") from problem
    except json.JSONDecodeError as problem:
        raise DataError(
            f"{path}, line {problem.lineno}, column {problem.colno}: not valid JSON: {problem.msg}",
            hint="fetch the file again, or repair it",
        ) from problem
    if not isinstance(value, dict):
        raise DataError(f"{path} holds a JSON {type(value).__name__}, expected an object")
    return value


def read_json_if_there(path: Path) -> dict[str, Any]:
    """As `read_json`; an absent file reads as an empty object."""
    return read_json(path) if path.is_file() else {}


def refuse_pointer(path: Path, start: bytes) -> None:
    """DataError where a file's first bytes are those of a Git LFS pointer: the folder was cloned without its data."""
    if start.startswith(POINTER):
        raise DataError(
            f"{path} is a Git LFS pointer, not the file itself", hint="run `git lfs pull` in the folder, then try again"
        )
