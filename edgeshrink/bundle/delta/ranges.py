"""The natural parts of a file: tensors, members of archives, headers. What is no archive and no model is one part."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgeshrink.bundle.delta.windows import SubWindow, Window, WindowStream, stored_gzip
from edgeshrink.catalog.gguf_header import MAGIC as GGUF_MAGIC
from edgeshrink.catalog.gguf_header import read_gguf_stream
from edgeshrink.errors import DataError, UnsupportedModel

_ZIP_MAGIC, _ZIP_LOCAL_BYTES = b"PK\x03\x04", 30
_AR_MAGIC, _AR_HEAD_BYTES = b"!<arch>\n", 60
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
_SAFETENSORS_LONGEST_HEADER: Final = 100 << 20
_DEEPEST = 4
_MALFORMED = (ValueError, LookupError, TypeError, AttributeError, OSError, RecursionError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Range:
    """`nbytes` of a window from `start`. `tensor`: `name` is a tensor's, and it is cut by size, else by content."""

    start: int
    nbytes: int
    name: str
    tensor: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """`nbytes` of a file from `start`. `gzip`: `window` is what it holds unpacked; its ranges count from its start."""

    start: int
    nbytes: int
    gzip: bool
    window: Window


def is_archive(window: Window) -> bool:
    """Whether it holds files that may stand beside it as well."""
    start = window.read_at(0, min(8, window.size))
    return start.startswith((_ZIP_MAGIC, _AR_MAGIC, b"\x1f\x8b"))


def parts_of(window: Window) -> tuple[Part, ...]:
    """A file as it is stored, or in gzip files of stored blocks that it is, or that are members of it (a .deb)."""
    if inner := stored_gzip(window):
        return (Part(0, window.size, True, inner),)
    parts, done = [], 0
    if window.read_at(0, min(8, window.size)) == _AR_MAGIC:
        for _, at, nbytes in _ar_members(window):
            if inner := stored_gzip(SubWindow(window, at, nbytes)):
                parts += [Part(done, at - done, False, SubWindow(window, done, at - done))] if at > done else []
                parts.append(Part(at, nbytes, True, inner))
                done = at + nbytes
    if done < window.size or not parts:
        parts.append(Part(done, window.size - done, False, SubWindow(window, done, window.size - done)))
    return tuple(parts)


def ranges_of(window: Window, name: str, depth: int = 0) -> Iterator[Range]:
    """All of `window`, part after part without a gap."""
    known = _known(window, name) if depth < _DEEPEST else None
    try:
        inner = sorted(known(window), key=lambda found: found.start) if known else []
    except (DataError, zipfile.BadZipFile, tarfile.TarError, ArithmeticError, *_MALFORMED):
        inner = []  # damaged, or not what it begins like: still bytes
    yield from _whole(window, inner, name, depth)


def _whole(window: Window, inner: list[Range], name: str, depth: int) -> Iterator[Range]:
    done = 0
    for found in inner:
        if found.start < done or found.start + found.nbytes > window.size:
            continue  # it lies in another: no well-formed file does that
        if found.start > done:
            yield Range(done, found.start - done, f"before {found.name}")
        if found.tensor and found.nbytes:
            yield found
        elif found.nbytes:
            for part in ranges_of(SubWindow(window, found.start, found.nbytes), found.name, depth + 1):
                yield Range(found.start + part.start, part.nbytes, part.name, part.tensor)
        done = found.start + found.nbytes
    if done < window.size:
        yield Range(done, window.size - done, f"end of {name}" if done else name)


def _known(window: Window, name: str) -> Callable[[Window], Iterator[Range]] | None:
    start = window.read_at(0, min(window.size, _TAR_MAGIC_AT + len(_TAR_MAGIC)))
    if start.startswith(GGUF_MAGIC):
        return _gguf
    if start.startswith(_ZIP_MAGIC):
        return _zip
    if start.startswith(_AR_MAGIC):
        return _ar
    if start[_TAR_MAGIC_AT:] == _TAR_MAGIC:
        return _tar
    return _safetensors if name.endswith(".safetensors") else None


def _gguf(window: Window) -> Iterator[Range]:
    try:
        header = read_gguf_stream(Path("GGUF"), io.BufferedReader(WindowStream(window), 1 << 16), window.size)
    except UnsupportedModel:
        return
    tensors = sorted(header.tensors, key=lambda tensor: tensor.offset)
    ends = [tensor.offset for tensor in tensors[1:]] + [window.size]
    for tensor, end in zip(tensors, ends, strict=True):  # what pads a tensor belongs to it
        yield Range(tensor.offset, end - tensor.offset, tensor.name, tensor=True)


def _safetensors(window: Window) -> Iterator[Range]:
    length = int.from_bytes(window.read_at(0, 8), "little")
    if length > _SAFETENSORS_LONGEST_HEADER:
        return
    header = json.loads(window.read_at(8, length))
    for name, tensor in header.items():
        if name != "__metadata__":
            start, end = tensor["data_offsets"]
            yield Range(8 + length + int(start), int(end) - int(start), name, tensor=True)


def _zip(window: Window) -> Iterator[Range]:
    with zipfile.ZipFile(io.BufferedReader(WindowStream(window), 1 << 16)) as archive:
        for info in archive.infolist():
            head = window.read_at(info.header_offset, _ZIP_LOCAL_BYTES)
            names = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
            yield Range(info.header_offset + _ZIP_LOCAL_BYTES + names, info.compress_size, info.filename)


def _tar(window: Window) -> Iterator[Range]:
    at = 0
    while at + tarfile.BLOCKSIZE <= window.size:
        block = window.read_at(at, tarfile.BLOCKSIZE)
        if not any(block):
            return
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        yield Range(at + tarfile.BLOCKSIZE, info.size, info.name)
        at += tarfile.BLOCKSIZE * (1 + -(-info.size // tarfile.BLOCKSIZE))


def _ar(window: Window) -> Iterator[Range]:
    for name, at, nbytes in _ar_members(window):
        yield Range(at, nbytes, name)


def _ar_members(window: Window) -> Iterator[tuple[str, int, int]]:
    """(name, start, length) of each member, as far as they are well formed."""
    at = len(_AR_MAGIC)
    while at + _AR_HEAD_BYTES <= window.size:
        head = window.read_at(at, _AR_HEAD_BYTES)
        length = head[48:58].strip()
        if not length.isdigit() or head[58:] != b"`\n" or at + _AR_HEAD_BYTES + int(length) > window.size:
            return
        at += _AR_HEAD_BYTES
        yield head[:16].decode("latin-1").rstrip(" /"), at, int(length)
        at += int(length) + int(length) % 2
