"""`known.toml`: licence ids as hubs spell them, and what they say about passing on compressed weights."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass as strict_dataclass

from edgeshrink.core.bundle import Redistribution

_FILE = Path(__file__).with_name("known.toml")
# SPDX spells versions of the GNU licences out; what follows them matters little for passing a copy on.
_SUFFIXES = ("-only", "-or-later", "+")


@strict_dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class KnownLicence:
    """One row: `note` is one sentence on what must be done, `url` where the text stands."""

    ids: tuple[str, ...]
    redistribution: Redistribution
    note: str
    url: str


def known(licence: str) -> KnownLicence | None:
    """The row of a licence id, whatever its case; None where the table has none."""
    id = licence.strip().lower()
    rows = known_licences()
    for suffix in _SUFFIXES:
        if id not in rows:
            id = id.removesuffix(suffix)
    return rows.get(id)


@cache
def known_licences() -> dict[str, KnownLicence]:
    """Every row by each of its ids."""
    rows = TypeAdapter(_Table).validate_python(tomllib.loads(_FILE.read_text(encoding="utf-8"))).licence
    return {id: row for row in rows for id in row.ids}


@dataclass(frozen=True, slots=True)
class _Table:
    licence: tuple[KnownLicence, ...]
