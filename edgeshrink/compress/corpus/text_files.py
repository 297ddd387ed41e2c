"""Plain text and Markdown, read block by block: pieces of some pages each, cut between paragraphs."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, cast

from edgeshrink.catalog.json_files import POINTER, refuse_pointer
from edgeshrink.compress.corpus.documents import Document
from edgeshrink.errors import DataError

_BLOCK = 1 << 16  # characters
_PARAGRAPHS = re.compile(r"\n[ \t]*\n\s*")
_FRONT_MATTER = re.compile(r"---[ \t]*\n.*?\n---[ \t]*\n", re.DOTALL)


def text_documents(file: Path, characters: int) -> Iterator[Document]:
    """Pieces of `file` of about `characters`, at most twice as many; the front matter of Markdown is left out."""
    with opened(file) as stream:
        rest = stream.read(_BLOCK)
        if ".md" in file.suffixes and (front := _FRONT_MATTER.match(rest)):
            rest = rest[front.end() :]
        while block := stream.read(_BLOCK):
            rest += block
            while len(rest) > 2 * characters + _BLOCK:
                cut = _cut(rest, characters)
                yield from _piece(rest[:cut], ends=False)
                rest = rest[cut:]
        while len(rest) > 2 * characters:
            cut = _cut(rest, characters)
            yield from _piece(rest[:cut], ends=False)
            rest = rest[cut:]
        yield from _piece(rest, ends=True)


def _piece(text: str, *, ends: bool) -> Iterator[Document]:
    if text.strip():
        yield Document(text=text, ends=ends)


def _cut(text: str, characters: int) -> int:
    """Where to cut after `characters` or more: between paragraphs, else lines, else words, else anywhere."""
    last = 2 * characters
    if found := _PARAGRAPHS.search(text, characters, last):
        return found.end()
    for sign in ("\n", " "):
        if (place := text.find(sign, characters, last)) >= 0:
            return place + 1
    return last


@contextmanager
def opened(file: Path) -> Iterator[TextIO]:
    """UTF-8, a byte order mark left out, \\r\\n as \\n; unpacked where it ends in .gz. DataError where it is not so."""
    try:
        with file.open("rb") as start:
            refuse_pointer(file, start.read(len(POINTER)))
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as raw:
            yield io.TextIOWrapper(cast(io.BufferedReader, raw), encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8 ({error.reason})", hint="give text in UTF-8") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{file} is not a whole gzip file: {error}", hint="fetch it again") from error
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}") from error
