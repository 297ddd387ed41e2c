"""The output folder: reused when it is ours, refused when it is not, and never half-written."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgeshrink.core.request import Request
from edgeshrink.errors import NO_SPACE, DataError, NoSpace, UsageError
from edgeshrink.report.manifest import MANIFEST_NAME, is_ours, read_manifest
from edgeshrink.store.digests import remembered_sha256
from edgeshrink.store.notes import Notes

_STAGING = ".edgeshrink-"
_ABANDONED_S = 3600


def folder_name(request: Request, model: str) -> str:
    """What the output folder is called where nobody says: all that was asked for."""
    parts = (model, request.target, request.format, request.scheme, request.delegate)
    return "-".join(part for part in parts if part).replace("=", "-").replace(",", "-").replace(" ", "")


def check_output(folder: Path, *, parts: tuple[str, ...] = ()) -> None:
    """Refuse, before any work, a folder that edgeshrink did not write or that cannot be written.

    `parts` names folders inside that are builds of their own: a folder with nothing else is one that was begun.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="name a folder with -o")
    if folder.is_dir() and not is_ours(folder) and any(_foreign(folder, parts)):
        raise UsageError(
            f"{folder} exists and edgeshrink did not write it (it has no {MANIFEST_NAME} of ours)",
            hint="name another folder with -o, or empty this one",
        )
    place_to_write = _staging_parent(folder)
    try:
        with tempfile.TemporaryFile(dir=place_to_write):
            pass
    except OSError as error:
        raise UsageError(
            f"cannot write to {place_to_write}: {error.strerror}", hint="name another folder with -o"
        ) from error


def _foreign(folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    for path in folder.iterdir():
        begun = path.name in parts and (is_ours(path) or not any(path.iterdir()))
        if not begun and not path.name.startswith(_STAGING):
            yield path


def _staging_parent(folder: Path) -> Path:
    """Inside the folder where it exists (its parent may be another file system), else the nearest parent there is."""
    folder = folder.resolve()
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not nearest.is_dir():
        raise UsageError(f"{nearest} is a file, and {folder} would be in it", hint="name another folder with -o")
    return nearest


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder to write the new content into; it takes the place of the old when the block ends well.

    In an existing folder of ours each file is replaced whole, the manifest last; what the old manifest lists and
    the new one does not is removed; files that somebody else put there stay.
    """
    folder = folder.resolve()
    exists = folder.is_dir()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        parent = folder if exists else folder.parent
        for leftover in parent.glob(f"{_STAGING}{folder.name}.*"):  # of a build that was killed while it wrote
            if leftover.stat().st_mtime < time.time() - _ABANDONED_S:
                shutil.rmtree(leftover, ignore_errors=True)
        staging = Path(tempfile.mkdtemp(dir=parent, prefix=f"{_STAGING}{folder.name}."))
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}", hint="name another folder with -o") from error
    try:
        yield staging
        staging.chmod(0o755)
        if exists:
            _replace_files(folder, staging)
        else:
            staging.rename(folder)
    except OSError as error:
        if error.errno in NO_SPACE:
            raise NoSpace(f"the disk of {folder} is full", hint="free some space, or name another folder") from error
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def place(source: Path, name: str, staging: Path, folder: Path, sha256: str, notes: Notes) -> None:
    """Bring `source` to `name` in `staging`: a link where the same file stands in `folder` already, else a copy.

    A hard link costs nothing, and staging replaces the old name by it, so nothing is written through.
    """
    target, there = staging / name, folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if there.is_file() and remembered_sha256(there, notes) == sha256:
        try:
            target.hardlink_to(there)
            return
        except OSError:
            pass  # a file system without hard links
    shutil.copyfile(source, target)


def _replace_files(folder: Path, staging: Path) -> None:
    try:
        old = {file.name for file in read_manifest(folder).files}
    except DataError:
        old = set()
    found = (path.relative_to(staging).as_posix() for path in staging.rglob("*") if path.is_file())
    new = sorted(found, key=lambda name: name == MANIFEST_NAME)
    for name in new:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (staging / name).replace(folder / name)
    for name in sorted(old - set(new), reverse=True):
        (folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # a folder that still holds something stays
            (folder / name).parent.rmdir()
