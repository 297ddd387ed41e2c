"""Typed reading of a JSON object, with errors that name file, key, what was expected and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeshrink.errors import DataError


@dataclass(frozen=True, slots=True)
class Fields:
    """The keys of one object in `file`. A key that holds null counts as absent."""

    file: Path
    config: Mapping[str, Any]
    prefix: str = ""

    def whole(self, key: str, *, default: int | None = None) -> int:
        """A whole number above zero."""
        value = self._value(key, default, "a whole number above zero")
        if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
            raise self.wrong(key, "a whole number above zero", value)
        return value

    def number(self, key: str, *, default: float | None = None) -> float:
        """A number above zero."""
        value = self._value(key, default, "a number above zero")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
            raise self.wrong(key, "a number above zero", value)
        return float(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self._value(key, default, "true or false")
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false", value)
        return value

    def wrong(self, key: str, expected: str, found: object) -> DataError:
        """The error for a key that holds something else than `expected`."""
        return DataError(f"{self.file}: {self.prefix}{key} is {found!r}, expected {expected}")

    def _value(self, key: str, default: object, expected: str) -> Any:
        value = self.config.get(key)
        if value is not None:
            return value
        if default is None:
            raise DataError(f"{self.file} has no {self.prefix}{key}, expected {expected}")
        return default
