"""JSON from elsewhere, read strictly: bounded, no key twice, every value of the type that is asked for."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from .errors import BundleInvalid

MOST_BYTES = 16 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_object(path: Path) -> Mapping[str, object]:
    """The object in `path`. BundleInvalid where it is no JSON, longer than 16 MiB, or has a key twice."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise BundleInvalid(f"{path} cannot be read: {error.strerror}") from error
    if len(raw) > MOST_BYTES:
        raise BundleInvalid(f"{path} is longer than {MOST_BYTES} bytes")
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BundleInvalid(f"{path} is no JSON as it should be: {error}") from error
    if not isinstance(found, dict):
        raise BundleInvalid(f"{path} holds no JSON object")
    return found


def _no_key_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands in it twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no number")


class Fields:
    """An object's values by key; BundleInvalid says which key is missing or of another type."""

    def __init__(self, where: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise BundleInvalid(f"{where}: expected an object")
        self._where = where
        self._values: Mapping[str, object] = value

    def text(self, key: str) -> str:
        value = self._get(key)
        if not isinstance(value, str):
            raise self.wrong(key, "text")
        return value

    def text_or_none(self, key: str) -> str | None:
        return None if self._get(key) is None else self.text(key)

    def sha256(self, key: str) -> str:
        value = self.text(key)
        if not _SHA256.fullmatch(value):
            raise self.wrong(key, "a sha256 of 64 hex digits")
        return value

    def count(self, key: str) -> int:
        """A whole number, zero or more, that fits 64 bits."""
        value = self._get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
            raise self.wrong(key, "a whole number")
        return value

    def count_or_none(self, key: str) -> int | None:
        return None if self._get(key) is None else self.count(key)

    def number(self, key: str) -> float:
        value = self._get(key)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) <= sys.float_info.max:
            raise self.wrong(key, "a number")
        return float(value)

    def share(self, key: str) -> float:
        """A number from 0 to 1."""
        value = self.number(key)
        if not 0 <= value <= 1:
            raise self.wrong(key, "a number from 0 to 1")
        return value

    def counts(self, key: str) -> tuple[int, ...]:
        return tuple(Fields(self._where, {key: value}).count(key) for value in self._list(key))

    def objects(self, key: str) -> tuple[Fields, ...]:
        return tuple(Fields(f"{self._where}: {key}", value) for value in self._list(key))

    def inner(self, key: str) -> Fields:
        return Fields(f"{self._where}: {key}", self._get(key))

    def inner_or_none(self, key: str) -> Fields | None:
        return None if self._get(key) is None else self.inner(key)

    def _list(self, key: str) -> list[object]:
        value = self._get(key)
        if not isinstance(value, list):
            raise self.wrong(key, "a list")
        return value

    def _get(self, key: str) -> object:
        if key not in self._values:
            raise BundleInvalid(f"{self._where}: {key} is missing")
        return self._values[key]

    def wrong(self, key: str, wanted: str) -> BundleInvalid:
        """The error that says so."""
        return BundleInvalid(f"{self._where}: {key} is not {wanted}")
