"""Builds that differ in a known way, for tests of patches: folders, GGUF files of random tensors, archives of them."""

from __future__ import annotations

import filecmp
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter

from edgeshrink.bundle.archives.entries import Entry
from edgeshrink.bundle.archives.tar import write_tar_gz, write_tar_gz_to
from edgeshrink.bundle.archives.zip import write_zip
from edgeshrink.bundle.cargo import write_file
from edgeshrink.bundle.delta.apply import check_old, write_new
from edgeshrink.bundle.delta.container import opened_patch
from edgeshrink.bundle.delta.make import Made, make_patch
from edgeshrink.bundle.delta.trees import read_tree
from edgeshrink.core.events import silent

TENSORS = {"token_embd.weight": 64, "blk.0.ffn_up.weight": 96, "blk.1.ffn_up.weight": 96, "output.weight": 40}
"""Name -> rows of 256 Q8_0 values: 272 bytes a row."""
ROW_BYTES = 272


def random_bytes(seed: int, nbytes: int) -> bytes:
    return np.random.default_rng(seed).bytes(nbytes)


def random_gguf(path: Path, *, seeds: Mapping[str, int] | None = None, note: str = "one", tensors: Any = None) -> Path:
    """Tensors of Q8_0 size with random bytes; `seeds` gives one tensor other bytes, `note` stands in the header."""
    tensors = tensors or TENSORS
    writer = GGUFWriter(path, "llama")
    writer.add_string("test.note", note)
    writer.add_array("test.words", [f"word number {number}" for number in range(3000)])
    for number, (name, rows) in enumerate(tensors.items()):
        data = random_bytes((seeds or {}).get(name, number), rows * ROW_BYTES)
        array = np.frombuffer(data, np.uint8).reshape(rows, ROW_BYTES)
        writer.add_tensor(name, array, raw_dtype=GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def bundle_like(folder: Path, *, note: str = "one", seeds: Mapping[str, int] | None = None, version: int = 1) -> Path:
    """Plain files, and the archives that carry them: a wheel, a tar.gz and a .deb of stored blocks."""
    write_file(folder / "bundle.json", f'{{"version": {version}, "note": "{note}"}}\n')
    write_file(folder / "README.md", "".join(f"line {line}\n" for line in range(200)) + note)
    write_file(folder / "bin" / "run", "#!/bin/sh\n", program=True)
    (folder / "model").mkdir()
    random_gguf(folder / "model" / "tiny.gguf", seeds=seeds, note=note)
    (folder / "model" / "tiny.gguf").chmod(0o644)
    names = ("README.md", "bin/run", "bundle.json", "model/tiny.gguf")
    entries = [Entry(f"tiny/{name}", folder / name, name == "bin/run") for name in names]
    write_zip(folder / f"tiny-{version}.whl", entries, align=lambda entry: 4096 if entry.name.endswith("gguf") else 1)
    write_tar_gz(folder / "tiny.tar.gz", entries)
    packed = io.BytesIO()
    write_tar_gz_to(packed, entries, dotted=True)
    write_file(
        folder / "tiny.deb", b"!<arch>\n" + _ar("debian-binary", b"2.0\n") + _ar("data.tar.gz", packed.getvalue())
    )
    return folder


def _ar(name: str, content: bytes) -> bytes:
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
    return head + content + b"\n" * (len(content) % 2)


def patched(old: Path, new: Path, patch: Path) -> Made:
    """Make the patch at `patch`."""
    return make_patch(read_tree(old), read_tree(new), patch, tools={"edgeshrink": "0"}, claim=None, listener=silent)


def applied(patch: Path, old: Path, place: Path) -> Path:
    """What the patch makes, at `place`, a new folder or file."""
    with opened_patch(patch) as (header, pieces):
        check_old(header, old, silent)
        if header.kind == "folder":
            place.mkdir()
        write_new(header, pieces, old, place, listener=silent)
    return place


def same_trees(one: Path, other: Path) -> bool:
    """Every byte, every name, every mode of files; folders that hold nothing, too."""
    if one.is_file():
        return filecmp.cmp(one, other, shallow=False)
    return _listing(one) == _listing(other)


def _listing(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mode & 0o777 if path.is_file() else 0, _content(path))
        for path in folder.rglob("*")
    }


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
