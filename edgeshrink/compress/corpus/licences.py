"""Under which licence a text stands, as far as it says: what is nearest to it counts.

In this order: the front matter of the file itself, FILE.license (the REUSE specification), the card (README.md) of its
folder, `license` in dataset_info.json, and the licence text in its folder, told by its first line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from edgeshrink.catalog.huggingface import model_license
from edgeshrink.catalog.json_files import read_json_if_there
from edgeshrink.catalog.licence_files import find_licence_files
from edgeshrink.core.plain import plain
from edgeshrink.errors import DataError

_LONGEST = 80  # characters
_TAG = re.compile(r"SPDX-License-Identifier:\s*([^\n*/]+)")
_LISTED = re.compile(r"---[ \t]*\r?\n(?:(?!---).*\n)*?license:[ \t]*\r?\n((?:[ \t]*-[ \t]+\S+[ \t]*\r?\n)+)")
# First words of well-known texts, by SPDX identifier; the longer ones first.
_FIRST_LINES = (
    (r"\bmit license\b|permission is hereby granted, free of charge", "MIT"),
    (r"apache license\s+version 2", "Apache-2.0"),
    (r"gnu affero general public license\s+version 3", "AGPL-3.0"),
    (r"gnu general public license\s+version 3", "GPL-3.0"),
    (r"gnu general public license\s+version 2", "GPL-2.0"),
    (r"cc0 1\.0 universal", "CC0-1.0"),
    (r"attribution-noncommercial-sharealike 4\.0", "CC-BY-NC-SA-4.0"),
    (r"attribution-noncommercial-noderivatives 4\.0", "CC-BY-NC-ND-4.0"),
    (r"attribution-noncommercial 4\.0", "CC-BY-NC-4.0"),
    (r"attribution-noderivatives 4\.0", "CC-BY-ND-4.0"),
    (r"attribution-sharealike 4\.0", "CC-BY-SA-4.0"),
    (r"attribution 4\.0 international", "CC-BY-4.0"),
    (r"open data commons attribution license", "ODC-By-1.0"),
    (r"open data commons open database license", "ODbL-1.0"),
    (r"this is free and unencumbered software", "Unlicense"),
)
_HEAD = 4000


def licence_of(path: Path) -> str | None:
    """Of a file or a folder of texts; None: nothing says one."""
    return next((plain(found)[:_LONGEST] for found in _said(path) if found), None)


def _said(path: Path) -> Iterator[str | None]:
    folder = path if path.is_dir() else path.parent
    if path.is_file():
        if path.suffix == ".md":
            yield _card(path)
        yield _reuse(path.with_name(f"{path.name}.license"))
    yield _card(folder / "README.md")
    yield _information(folder / "dataset_info.json")
    for part in sorted(folder.glob("*/dataset_info.json")) if path.is_dir() else ():
        yield _information(part)
    for file in find_licence_files(folder):
        yield _told_by(file)


def _card(file: Path) -> str | None:
    """`license:` of the front matter; data sets often name several, as a list."""
    if not file.is_file():
        return None
    head = file.read_text(encoding="utf-8", errors="replace")[:_HEAD]
    listed = _LISTED.match(head)
    return ", ".join(re.findall(r"-[ \t]*(\S+)", listed[1])) if listed else model_license(file)


def _reuse(file: Path) -> str | None:
    if not file.is_file():
        return None
    found = _TAG.search(file.read_text(encoding="utf-8", errors="replace")[:_HEAD])
    return found[1].strip() if found else None


def _information(file: Path) -> str | None:
    try:
        said = read_json_if_there(file).get("license")
    except DataError:  # the reader of the data says so, where it is its file
        return None
    return said.strip() if isinstance(said, str) else json.dumps(said) if said else None


def _told_by(file: Path) -> str | None:
    """The identifier of a text that is known, else its first line."""
    text = file.read_text(encoding="utf-8", errors="replace")[:_HEAD]
    for pattern, identifier in _FIRST_LINES:
        if re.search(pattern, text.casefold()):
            return identifier
    return next((line.strip() for line in text.splitlines() if line.strip()), None)
