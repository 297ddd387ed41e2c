"""Where a bundle goes: a new folder, or the place of an older bundle in which nobody put anything."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from edgeshrink.bundle.signing.names import CLAIMS_NAME, SIGNATURE_NAME
from edgeshrink.core.bundle import BUNDLE_NAME, SIGNATURE_FOLDER, BundleManifest
from edgeshrink.core.events import Listener, notice
from edgeshrink.engine.bundle_manifest import read_bundle
from edgeshrink.errors import NoSpace, UsageError

_ELSEWHERE = "name another folder with -o"


def check_place(folder: Path, out: Path | None = None) -> None:
    """UsageError where something else than a bundle stands in `folder`, or where one is inside the other: `out`, the
    build, would not be as it was built any more, or would go with the old bundle."""
    if folder.exists() and not (folder / BUNDLE_NAME).is_file() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is no bundle", hint=_ELSEWHERE)
    if out is not None and out.resolve() in folder.resolve().parents:
        raise UsageError(f"{folder} is inside {out}, which would not be as it was made any more", hint=_ELSEWHERE)
    if out is not None and folder.resolve() in out.resolve().parents:
        raise UsageError(f"{out} is inside {folder}, whose place the bundle would take", hint=_ELSEWHERE)


def check_disk(folder: Path, needed: int, listener: Listener) -> None:
    """Say what a bundle of `needed` bytes takes; NoSpace where there is less."""
    place = next(parent for parent in folder.resolve().parents if parent.is_dir())
    free = shutil.disk_usage(place).free
    told = f"{needed / 2**20:,.0f} MiB"
    if needed > free:
        raise NoSpace(
            f"this bundle takes up to {told}, and {place} has {free / 2**20:,.0f} MiB",
            hint=f"free some space, {_ELSEWHERE}, or leave the archives out with --no-archives",
        )
    listener(notice(f"this bundle takes up to {told} on the disk of {place}"))


def refuse_loss(folder: Path, new: Path, manifest: BundleManifest) -> None:
    """UsageError where `folder`, whose place the bundle in `new` takes, holds what no bundle of that kind does."""
    if not (folder / BUNDLE_NAME).is_file():
        return
    old = read_bundle(folder)
    written = set(payload_names(new))
    for name in payload_names(folder):
        of_new = _renamed(_renamed(name, old.version, manifest.version), old.name, manifest.name)
        if of_new not in written and not _carried(name, old):
            raise _lost(folder, old, name)
    for path in sorted((folder / SIGNATURE_FOLDER).glob("*")):
        if (name := path.relative_to(folder).as_posix()) not in (CLAIMS_NAME, SIGNATURE_NAME):
            raise _lost(folder, old, name)


def _carried(name: str, old: BundleManifest) -> bool:
    """Whether it is a file of the old bundle's payload, or one inside its packages: another build has others."""
    return any(name == file.name or name.endswith(f"/{file.name}") for file in old.files)


def _lost(folder: Path, old: BundleManifest, name: str) -> UsageError:
    return UsageError(
        f"{folder} is a bundle of {old.name} {old.version} for {old.kind}, and {name} in it would be lost",
        hint=f"{_ELSEWHERE}, or remove it",
    )


def _renamed(name: str, old: str, new: str) -> str:
    """With whole words alone replaced: version 1 is not the 1 of sha1."""
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(old)}(?![A-Za-z0-9])", new, name)


def payload_names(folder: Path) -> Iterator[str]:
    """Every file of the bundle in `folder` but its signature's, in name order."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() and not name.startswith(f"{SIGNATURE_FOLDER}/"):
            yield name
