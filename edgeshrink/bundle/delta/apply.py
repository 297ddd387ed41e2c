"""Put the new build together from the old one and a patch: everything streamed, every digest checked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from edgeshrink.bundle.archives.tar import StoredGzip
from edgeshrink.bundle.cargo import FOLDER_MODE
from edgeshrink.bundle.delta.checking import new_sizes
from edgeshrink.bundle.delta.packing import unpack
from edgeshrink.bundle.delta.sources import Sources
from edgeshrink.bundle.delta.trees import opened, read_tree
from edgeshrink.core.delta import Copy, KeptFile, Operation, PatchHeader, PatchPart, Place, Which, WrittenFile
from edgeshrink.core.events import Listener, Progress
from edgeshrink.core.plain import plain
from edgeshrink.errors import DataError, UsageError

_TOLD_FROM_BYTES: Final = 64 << 20
_READ_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """`linked` files have no bytes of their own on the disk."""

    files: int
    linked: int
    nbytes: int
    written_bytes: int


def check_old(header: PatchHeader, root: Path, listener: Listener) -> None:
    """DataError where a file that is needed is not what the patch was made from. Each is read once."""
    needed = [
        (old_path(header, root, number), file.nbytes, file.sha256)
        for number, file in enumerate(header.old)
        if file.sha256 is not None
    ]
    if (other := _first_other(needed, root, listener)) is not None:
        raise DataError(
            f"{other} is not what this patch was made from", hint="apply it to the build that it was made from"
        )


def is_new(header: PatchHeader, root: Path, listener: Listener) -> bool:
    """Whether `root` holds, file for file, what the patch makes."""
    digests: list[str | None] = []
    for file in header.new:
        if isinstance(file, WrittenFile):
            digests.append(file.sha256)
        else:
            digests.append(header.old[file.file].sha256 if file.of == "old" else digests[file.file])
    single = header.kind == "file"
    paths = [root if single else root / file.name for file in header.new]
    try:
        if not single and {file.path for file in read_tree(root).files} != set(paths):
            return False
        return _first_other(list(zip(paths, new_sizes(header), digests, strict=True)), root, listener) is None
    except (DataError, UsageError):
        return False


def _first_other(files: Sequence[tuple[Path, int, str | None]], root: Path, listener: Listener) -> Path | None:
    """The first file that does not have that size and digest."""
    total, done = sum(nbytes for _, nbytes, _ in files), 0
    for path, nbytes, sha256 in files:
        digest = hashlib.sha256()
        with opened(path) as stream:
            same = stream.seek(0, os.SEEK_END) == nbytes
            stream.seek(0)
            while same and (data := stream.read(_READ_BYTES)):
                digest.update(data)
                done += len(data)
                if total >= _TOLD_FROM_BYTES:
                    listener(Progress(f"checking {plain(root.name)}", done, total, "bytes"))
        if not same or digest.hexdigest() != sha256:
            return path
    return None


def old_path(header: PatchHeader, root: Path, number: int) -> Path:
    """Where an old file is. DataError where a folder on the way is a link."""
    if header.kind == "file":
        return root
    path = root / header.old[number].name
    for parent in path.parents[: path.parents.index(root)]:
        if parent.is_symlink():
            raise DataError(f"{parent} is a link, and links are not followed")
    return path


def write_new(header: PatchHeader, pieces: BinaryIO, old: Path, place: Path, *, listener: Listener) -> Written:
    """Write the new build to `place`: an empty folder, or the path of a new file. `pieces` stands at the first.

    An unchanged file is the old one by a second name, where links are. Who writes into one then changes both builds;
    edgeshrink replaces files whole.
    """
    writer = _Writer(header, pieces, old, place, listener)
    with Sources(writer.path, lambda number: header.old[number].layers) as sources:
        for number, file in enumerate(header.new):
            writer.put(number, file, sources)
    for name in header.folders if header.kind == "folder" else ():
        (place / name).mkdir(parents=True, exist_ok=True)
    if header.kind == "folder":
        for parent, _, _ in os.walk(place):
            Path(parent).chmod(FOLDER_MODE)
    sizes = new_sizes(header)
    return Written(len(sizes), writer.linked, sum(sizes), writer.written_bytes)


class _Writer:
    def __init__(self, header: PatchHeader, pieces: BinaryIO, old: Path, place: Path, listener: Listener) -> None:
        self.header, self.pieces, self.old, self.place = header, pieces, old, place
        self.listener = listener
        self.linked, self.written_bytes = 0, 0
        self.sizes = new_sizes(header)
        self.total = sum(self.sizes)

    def path(self, of: Which, number: int) -> Path:
        if of == "old":
            return old_path(self.header, self.old, number)
        return self.place if self.header.kind == "file" else self.place / self.header.new[number].name

    def put(self, number: int, file: KeptFile | WrittenFile, sources: Sources) -> None:
        path = self.path("new", number)
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file, KeptFile):
            self._keep(number, file, path, sources)
            return
        with path.open("xb") as stream:
            output = _Output(stream)
            for part in file.parts:
                self._part(part, output, number, sources)
            stream.flush()
            path.chmod(file.mode)
        if output.digest.hexdigest() != file.sha256:
            raise DataError(f"{plain(file.name)} would not be what it should: the patch is damaged")
        self.written_bytes += file.nbytes

    def _keep(self, number: int, file: KeptFile, path: Path, sources: Sources) -> None:
        source = self.path(file.of, file.file)
        if source.stat().st_mode & 0o777 == file.mode:
            try:
                path.hardlink_to(source)
                self.linked += 1
                return
            except OSError:
                pass  # another file system, or one without links
        with path.open("xb") as stream:
            if self.sizes[number]:
                for data in sources.pieces(Place(file.of, file.file, 0, self.sizes[number])):
                    stream.write(data)
        path.chmod(file.mode)
        self.written_bytes += self.sizes[number]

    def _part(self, part: PatchPart, output: _Output, number: int, sources: Sources) -> None:
        gzip = StoredGzip(cast(BinaryIO, output)) if part.gzip else None
        write: Callable[[bytes], object] = gzip.write if gzip else output.write
        for operation in part.operations:
            self._bring(operation, write, output, sources)
            if self.total >= _TOLD_FROM_BYTES:
                name = plain(Path(self.header.new[number].name).name)
                self.listener(Progress(f"writing {name}", output.nbytes, self.sizes[number], "bytes"))
        if gzip:
            gzip.finish()

    def _bring(self, operation: Operation, write: Callable[[bytes], object], output: _Output, sources: Sources) -> None:
        if isinstance(operation, Copy):
            if operation.place.of == "new":
                output.stream.flush()  # it may be of this file
            for data in sources.pieces(operation.place):
                write(data)
            return
        packed = self.pieces.read(operation.packed)
        if len(packed) != operation.packed:
            raise DataError("the patch ends early", hint="fetch it again")
        base = sources.read(operation.base) if operation.base else b""
        write(unpack(packed, operation.nbytes, base) if operation.zstd else packed)


class _Output:
    """A file that is written, and the digest of what was."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.digest, self.nbytes = stream, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.nbytes += len(data)
        return self.stream.write(data)
