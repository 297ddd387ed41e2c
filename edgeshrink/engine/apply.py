"""The verb `apply`: from the old build and a patch to the new one, in the old one's place or in another."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edgeshrink.bundle.delta.apply import Written, check_old, is_new, write_new
from edgeshrink.bundle.delta.checking import new_sizes
from edgeshrink.bundle.delta.container import opened_patch
from edgeshrink.bundle.delta.packing import library_version
from edgeshrink.bundle.delta.trees import read_tree
from edgeshrink.core.delta import AppliedSummary, KeptFile, PatchHeader
from edgeshrink.core.events import Listener, notice, silent
from edgeshrink.core.plain import plain
from edgeshrink.engine.delta import signature_of
from edgeshrink.engine.whole_folder import remove_leftovers, whole_file, whole_folder
from edgeshrink.errors import DataError, NoSpace, UsageError

_TOLD_FROM_BYTES = 64 << 20


def apply(
    patch: Path,
    old: Path,
    new: Path | None = None,
    *,
    key: Path | None = None,
    unsigned: bool = False,
    listener: Listener = silent,
) -> AppliedSummary:
    """Make the new build of `old`: in its place, or at `new`, which must not exist.

    `key` is the public key of who signed the patch; without one, `unsigned` says that nobody vouches for it. Where the
    place holds the new build already (a run was killed after it was done), that is said, and nothing is written.
    UsageError, DataError where the patch or `old` is not what it must be, NoSpace: `old` stays as it was.
    """
    library_version()  # ToolMissing, before anything is read
    before = _state(patch)
    signer = _checked_signature(patch, key, unsigned, listener)
    old = old.resolve()
    target = old if new is None else _place_of(new, old)
    with opened_patch(patch) as (header, pieces):
        if _state(pieces.fileno()) != before:  # the header was read; pieces are checked by its digests
            raise DataError(f"{patch} changed while it was read", hint="run it again")
        _check_kind(header, old)
        in_place = target == old
        try:
            if in_place and header.kind == "folder":
                _check_nothing_else(header, old)
            check_old(header, old, listener)
        except DataError:
            if not (in_place and is_new(header, old, listener)):
                raise
            remove_leftovers(target)
            listener(notice(f"{plain(str(old))} is already what this patch makes"))
            done = Written(len(header.new), len(header.new), sum(new_sizes(header)), 0)
        else:
            _check_disk(header, target, listener)
            with (whole_folder if header.kind == "folder" else whole_file)(target) as staging:
                done = write_new(header, pieces, old, staging, listener=listener)
    return AppliedSummary(
        result=str(target),
        files=done.files,
        linked=done.linked,
        nbytes=done.nbytes,
        written_bytes=done.written_bytes,
        signed_by=header.claims.signer if signer and header.claims else "",
        signed_at=header.claims.signed_at if signer and header.claims else "",
        key=signer,
    )


def _state(patch: Path | int) -> tuple[int, ...] | None:
    """What is another where the file is another, or was written to; None where there is none."""
    try:
        found = os.stat(patch)  # noqa: PTH116  a descriptor, too
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _checked_signature(patch: Path, key: Path | None, unsigned: bool, listener: Listener) -> str:
    """The fingerprint of who signed it; "" where nobody asks."""
    if key is not None and unsigned:
        raise UsageError("--key says who must have signed the patch, --unsigned that nobody need", hint="give one")
    if unsigned:
        return ""
    if key is None:
        raise UsageError(
            "a patch is applied with the public key of who signed it",
            hint="give --key PUBLIC; --unsigned applies it whoever made it",
        )
    from edgeshrink.bundle.signing.verify import verify_file

    return verify_file(patch, signature_of(patch), key=key, listener=listener).key


def _place_of(new: Path, old: Path) -> Path:
    new = new.resolve()
    if os.path.lexists(new):
        raise UsageError(f"{new} exists", hint="name another place with -o, or leave -o out to replace the old build")
    if old in new.parents:
        raise UsageError(f"{new} would be in {old}", hint="name a place outside of it with -o")
    return new


def _check_kind(header: PatchHeader, old: Path) -> None:
    if not old.exists():
        raise UsageError(f"{old} does not exist", hint="name the build that the patch was made from")
    is_a = "folder" if old.is_dir() else "file"
    if is_a != header.kind:
        hint = "name the build that the patch was made from"
        raise UsageError(f"{old} is a {is_a}, and the patch is for a {header.kind}", hint=hint)


def _check_nothing_else(header: PatchHeader, old: Path) -> None:
    """What the patch does not know would be gone with the old folder."""
    known = {file.name: file.nbytes for file in header.old}
    for file in read_tree(old).files:
        if file.name not in known:
            raise DataError(
                f"{old} holds {plain(file.name)}, which is not of the build", hint="move it away, or name -o NEW"
            )
        if file.nbytes != known[file.name]:
            raise DataError(f"{file.path} was changed", hint="undo that, or name -o NEW to keep the old folder")


def _check_disk(header: PatchHeader, target: Path, listener: Listener) -> None:
    """What is linked takes nothing, where links are; the result is checked again while it is written."""
    kept = (isinstance(file, KeptFile) for file in header.new)
    needed = sum(size for size, linked in zip(new_sizes(header), kept, strict=True) if not linked)
    place = next(parent for parent in target.parents if parent.is_dir())
    free = shutil.disk_usage(place).free
    told = f"{needed / 2**20:,.0f} MiB"
    if needed > free:
        raise NoSpace(
            f"this takes {told}, and {place} has {free / 2**20:,.0f} MiB", hint="free some space, or name -o NEW"
        )
    if needed >= _TOLD_FROM_BYTES:
        listener(notice(f"this takes {told} on the disk of {place}"))
