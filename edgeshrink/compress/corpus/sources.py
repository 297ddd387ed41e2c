"""What was named on the command line, as sources of documents: files of text or records, and folders of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgeshrink.catalog.licence_files import find_licence_files
from edgeshrink.compress.corpus.dataset_folders import SAVED, dataset_documents, to_test_with
from edgeshrink.compress.corpus.documents import Document
from edgeshrink.compress.corpus.jsonl_files import jsonl_documents
from edgeshrink.compress.corpus.licences import licence_of
from edgeshrink.compress.corpus.text_files import text_documents
from edgeshrink.core.digests import combined_sha256
from edgeshrink.core.plain import plain
from edgeshrink.core.training import TextSource
from edgeshrink.errors import DataError

TEXT = (".txt", ".md", ".txt.gz", ".md.gz")
RECORDS = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_TABLES = (".parquet", ".arrow")
_KINDS = "text (.txt, .md), records (.jsonl, .jsonl.gz) or a folder of the library datasets"
_CARD = "README.md"


@dataclass(frozen=True, slots=True)
class Source:
    """One path that was named. `files`: all that its digest covers."""

    name: str
    path: Path
    files: tuple[Path, ...] = field(repr=False)
    _read: Callable[[int], Iterator[Document]] = field(repr=False)

    def documents(self, characters: int) -> Iterator[Document]:
        """In the order of the files; plain text comes in pieces of about `characters`."""
        return self._read(characters)

    @property
    def nbytes(self) -> int:
        """Of its files."""
        return sum(file.stat().st_size for file in self.files)

    @property
    def license(self) -> str | None:
        return licence_of(self.path)

    def told(self, documents: int, tokens: int) -> TextSource:
        """For a record of what was learned from: so many `documents` and `tokens` were taken of it."""
        return TextSource(self.name, self.sha256(), self.nbytes, documents, tokens, self.license)

    def sha256(self) -> str:
        """Of the file, or of the names and digests of all files."""
        if self.path.is_file():
            return _sha256(self.path)
        return combined_sha256((file.relative_to(self.path).as_posix(), _sha256(file)) for file in self.files)


def find_sources(paths: Sequence[Path]) -> tuple[Source, ...]:
    """Each path once. DataError where one is not there or holds nothing that is read; nothing of it is read yet."""
    once = tuple(dict.fromkeys(path.resolve() for path in paths))
    if not once:
        raise DataError("there is no data to train on", hint=f"name {_KINDS}")
    return tuple(_source(path, _name(path, once)) for path in once)


def _name(path: Path, all_paths: Sequence[Path]) -> str:
    alone = sum(other.name == path.name for other in all_paths) == 1
    return plain(path.name if alone else "/".join(path.parts[-2:]))


def _source(path: Path, name: str) -> Source:
    if path.is_file():
        read = _reader(path)
        if read is None:
            raise DataError(f"{path} is no data to train on", hint=f"give {_KINDS}")
        return Source(name, path, (path,), read)
    if not path.is_dir():
        raise DataError(f"there is no data at {path}", hint=f"give {_KINDS}")
    files = tuple(sorted(file for file in path.rglob("*") if file.is_file() and not _hidden(file, path)))
    if any((path / file).is_file() for file in SAVED) or any(file.suffix in _TABLES for file in files):
        return Source(name, path, files, lambda _: dataset_documents(path))
    aside = {_CARD, *(file.name for file in find_licence_files(path))}
    texts = tuple(file for file in files if _reader(file) and file.name not in aside)
    texts = tuple(file for file in texts if not (file.name.endswith(RECORDS) and to_test_with(file.name))) or texts
    if not texts:
        raise DataError(f"{path} holds no data to train on", hint=f"give {_KINDS}")
    return Source(name, path, texts, lambda characters: _all_of(texts, characters))


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _all_of(files: Sequence[Path], characters: int) -> Iterator[Document]:
    for file in files:
        read = _reader(file)
        assert read is not None
        yield from read(characters)


def _reader(file: Path) -> Callable[[int], Iterator[Document]] | None:
    name = file.name.lower()
    if name.endswith(RECORDS):
        return lambda _: jsonl_documents(file)
    if name.endswith(TEXT):
        return lambda characters: text_documents(file, characters)
    return None


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
