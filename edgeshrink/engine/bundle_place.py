"""Where a bundle goes: a new folder, or the place of an older bundle in which nobody put anything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from edgeshrink.core.bundle import BUNDLE_NAME, SIGNATURE_FOLDER, BundleManifest
from edgeshrink.core.events import Listener, notice
from edgeshrink.engine.bundle_manifest import read_bundle
from edgeshrink.errors import NoSpace, UsageError

_ELSEWHERE = "name another folder with -o"


def check_place(folder: Path) -> None:
    """UsageError where something else than a bundle stands in `folder`."""
    if folder.exists() and not (folder / BUNDLE_NAME).is_file() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is no bundle", hint=_ELSEWHERE)


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
    written = set(_names(new))
    for name in _names(folder):
        if name.replace(old.version, manifest.version).replace(old.name, manifest.name) not in written:
            raise UsageError(
                f"{folder} is a bundle of {old.name} {old.version} for {old.kind}, and {name} in it would be lost",
                hint=f"{_ELSEWHERE}, or remove it",
            )


def _names(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() and not name.startswith(f"{SIGNATURE_FOLDER}/"):
            yield name
