"""JSON Lines: one record a line, packed or not, a line at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeshrink.compress.corpus.documents import Document, document_of
from edgeshrink.compress.corpus.text_files import opened
from edgeshrink.errors import DataError

LONGEST_LINE = 64 << 20
"""Characters: what is longer is no line of JSON."""


def jsonl_documents(file: Path) -> Iterator[Document]:
    """DataError names the line that is no record."""
    for where, record in jsonl_records(file):
        if (document := document_of(record, where)) is not None:
            yield document


def jsonl_records(file: Path) -> Iterator[tuple[str, Any]]:
    """(where it stands, in words; the value) of each line that is not blank. DataError names a line that is no JSON."""
    with opened(file) as stream:
        number = 0
        while line := stream.readline(LONGEST_LINE):
            number += 1
            if not line.strip():
                continue
            where = f"{file}, line {number}"
            if len(line) == LONGEST_LINE:
                raise DataError(f"{where} is longer than {LONGEST_LINE >> 20} MiB", hint="give one JSON object a line")
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{where}: not JSON: {error}", hint="give one JSON object a line") from error
            yield where, record
