"""The output folder: reused when it is ours, refused when it is not, and never half-written."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeshrink.errors import DataError, NoSpace, UsageError
from edgeshrink.report.manifest import MANIFEST_NAME, is_ours, read_manifest
from edgeshrink.store.digests import remembered_sha256
from edgeshrink.store.notes import Notes


def check_output(folder: Path) -> None:
    """Refuse, before any work, a folder that edgeshrink did not write or that cannot be written."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="name a folder with -o")
    if folder.is_dir() and any(folder.iterdir()) and not is_ours(folder):
        raise UsageError(
            f"{folder} exists and edgeshrink did not write it (it has no {MANIFEST_NAME} of ours)",
            hint="name another folder with -o, or empty this one",
        )
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.is_dir())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise UsageError(f"cannot write to {nearest}: {error.strerror}", hint="name another folder with -o") from error


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to write the new content into; it takes the place when the block ends well.

    In an existing folder of ours each file is replaced whole, the manifest last; what the old manifest lists and
    the new one does not is removed; files that somebody else put there stay.
    """
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        yield staging
        staging.chmod(0o755)
        if not folder.exists():
            staging.rename(folder)
        else:
            _replace_files(folder, staging)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(f"the disk of {folder} is full", hint="free some space, or name another folder") from error
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def place(source: Path, target: Path, folder: Path, sha256: str, notes: Notes) -> None:
    """Bring `source` to `target`, to be staged into `folder`: a link where the same file stands there, else a copy.

    A hard link costs nothing, and staging replaces the old name by it, so nothing is written through.
    """
    there = folder / target.name
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
    new = sorted((path.name for path in staging.iterdir()), key=lambda name: name == MANIFEST_NAME)
    for name in new:
        (staging / name).replace(folder / name)
    for name in old - set(new):
        (folder / name).unlink(missing_ok=True)
