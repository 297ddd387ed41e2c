"""Make a patch: read the old build and remember its pieces, read the new one and name those that are known."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, cast

from edgeshrink.bundle.delta.bases import Bases
from edgeshrink.bundle.delta.container import write_patch
from edgeshrink.bundle.delta.index import Index
from edgeshrink.bundle.delta.operations import Operations
from edgeshrink.bundle.delta.ranges import Part, is_archive
from edgeshrink.bundle.delta.reading import Reading
from edgeshrink.bundle.delta.sources import Sources
from edgeshrink.bundle.delta.trees import Tree, TreeFile, opened
from edgeshrink.bundle.delta.windows import FileWindow, held_bytes
from edgeshrink.core.delta import (
    DELTA_SCHEMA,
    ChangedTensor,
    Fresh,
    KeptFile,
    Layer,
    NewFile,
    OldFile,
    PatchHeader,
    PatchPart,
    Place,
    Which,
    WrittenFile,
)
from edgeshrink.core.events import Listener
from edgeshrink.core.signature import Claims


@dataclass(frozen=True, slots=True)
class Made:
    """The header that was written, and the tensors that the old build does not have."""

    header: PatchHeader
    tensors: tuple[ChangedTensor, ...]


def make_patch(
    old: Tree,
    new: Tree,
    place: Path,
    *,
    tools: dict[str, str],
    claim: Callable[[dict[str, str]], Claims] | None,
    listener: Listener,
) -> Made:
    """Write the new file `place`. `claim` is given the sha256 of every new file, and says who makes the patch."""
    learned: list[OldFile] = []
    with (
        tempfile.TemporaryFile(dir=place.parent) as pieces,
        Sources(lambda _, number: old.files[number].path, lambda number: learned[number].layers) as sources,
    ):
        maker = _Maker(learned, cast(BinaryIO, pieces), sources, listener)
        for number, old_file in enumerate(old.files):
            maker.learn(number, old_file)
        for file in _plain_first(new):
            maker.put(file)
        used = _used(maker.new_files)
        header = PatchHeader(
            schema=DELTA_SCHEMA,
            kind="file" if new.single else "folder",
            tools=tools,
            old=tuple(
                file if number in used else replace(file, sha256=None, layers=())
                for number, file in enumerate(maker.old_files)
            ),
            new=tuple(maker.new_files),
            folders=new.empty,
            claims=claim(maker.new_digests) if claim else None,
        )
        write_patch(place, header, pieces, listener)
        return Made(header, tuple(maker.tensors))


def _plain_first(tree: Tree) -> list[TreeFile]:
    """What an archive holds mostly stands beside it as well: then it is taken from there."""

    def key(file: TreeFile) -> tuple[bool, str]:
        with opened(file.path) as stream:
            return is_archive(FileWindow(stream, 0, file.nbytes)), file.name

    return sorted(tree.files, key=key)


def _used(files: list[NewFile]) -> set[int]:
    """The old files that something is taken from."""
    used = {file.file for file in files if isinstance(file, KeptFile) and file.of == "old"}
    for file in files:
        for part in file.parts if isinstance(file, WrittenFile) else ():
            places = (step.base if isinstance(step, Fresh) else step.place for step in part.operations)
            used |= {place.file for place in places if place is not None and place.of == "old"}
    return used


@dataclass(slots=True)
class _Maker:
    """What is known so far. Files are numbered as they stand in the header."""

    old_files: list[OldFile]
    pieces: BinaryIO
    sources: Sources
    listener: Listener
    new_files: list[NewFile] = field(default_factory=list)
    new_digests: dict[str, str] = field(default_factory=dict)
    tensors: list[ChangedTensor] = field(default_factory=list)
    _index: Index = field(default_factory=Index)
    _bases: Bases = field(default_factory=Bases)
    _whole: dict[str, tuple[Which, int]] = field(default_factory=dict)
    _inodes: dict[tuple[int, int], str] = field(default_factory=dict)

    def learn(self, number: int, file: TreeFile) -> None:
        """Read an old file."""
        layers: list[Layer] = []
        with opened(file.path) as stream:
            reading = Reading(stream, file, f"reading {file.path.name}", self.listener)
            for part in reading.parts:
                layer = len(layers) if part.gzip else None
                layers += [Layer(part.start, part.nbytes)] if part.gzip else []
                shift = 0 if part.gzip else part.start
                size = part.window.size if part.gzip else file.nbytes
                for found in reading.ranges(part):
                    whole = Place("old", number, shift + found.start, found.nbytes, layer)
                    self._bases.add(found, whole, size)
                    for at, data in reading.pieces(part, found):
                        digest = hashlib.sha256(data).digest()
                        self._index.add(digest, Place("old", number, shift + at, len(data), layer))
        sha256 = reading.sha256()
        self.old_files.append(OldFile(file.name, file.nbytes, sha256, tuple(layers)))
        self._whole.setdefault(sha256, ("old", number))

    def put(self, file: TreeFile) -> None:
        """Read a new file, and say how it comes about."""
        if (sha256 := self._inodes.get(file.same)) is None:
            before = self.pieces.tell()
            with opened(file.path) as stream:
                reading = Reading(stream, file, f"comparing {file.path.name}", self.listener)
                tensors: list[ChangedTensor] = []
                parts = tuple(self._put_part(part, file, reading, tensors) for part in reading.parts)
            sha256 = reading.sha256()
            if file.same[1]:  # some file systems number no files
                self._inodes[file.same] = sha256
            if sha256 in self._whole:
                self.pieces.seek(before)
                self.pieces.truncate()
            else:
                self._whole[sha256] = ("new", len(self.new_files))
                self.tensors += tensors
                self.new_files.append(WrittenFile(file.name, file.mode, file.nbytes, sha256, parts))
                self.new_digests[file.name] = sha256
                return
        self.new_digests[file.name] = sha256
        self.new_files.append(KeptFile(file.name, file.mode, *self._whole[sha256]))

    def _put_part(self, part: Part, file: TreeFile, reading: Reading, tensors: list[ChangedTensor]) -> PatchPart:
        operations = Operations(self.pieces, self._bases, self.sources.read, self._size_of)
        for found in reading.ranges(part):
            fresh = 0
            for at, data in reading.pieces(part, found):
                digest = hashlib.sha256(data).digest()
                known = self._index.find(digest, len(data), operations.previous)
                if known is not None and not (part.gzip and known.file == len(self.new_files) and known.of == "new"):
                    operations.copy(known)
                    continue
                operations.fresh(data, found, at - found.start)
                fresh += len(data)
                if not part.gzip:
                    place = Place("new", len(self.new_files), part.start + at, len(data))
                    self._index.add(digest, place)
            if found.tensor and fresh:
                tensors.append(ChangedTensor(file.name, found.name, found.nbytes, fresh))
        return PatchPart(operations.finish(), part.gzip)

    def _size_of(self, place: Place) -> int:
        file = self.old_files[place.file]
        return file.nbytes if place.layer is None else held_bytes(file.layers[place.layer].nbytes) or 0
