"""Values to JSON text and back: one file holds one value, and reads back as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

V = TypeVar("V")


def to_json(value: Any) -> str:
    """Indented JSON of a frozen dataclass; equal values give equal text."""
    return TypeAdapter(type(value)).dump_json(value, indent=1).decode() + "\n"


def from_json_text(kind: type[V], text: str) -> V:
    """The value of type `kind` that `text` spells, as `to_json` wrote it."""
    value: V = TypeAdapter(kind).validate_json(text)
    return value


def from_json(kind: type[V], path: Path) -> V:
    """The value of type `kind` in the file `path`, as `to_json` wrote it."""
    return from_json_text(kind, path.read_text(encoding="utf-8"))


def first_wrong(error: ValidationError) -> str:
    """`at FIELD: why` of the first thing that is wrong, without the text that was read."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"at {'.'.join(str(part) for part in first['loc']) or 'the whole file'}: {first['msg']}"
