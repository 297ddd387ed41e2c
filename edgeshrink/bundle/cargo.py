"""The files that every kind of bundle carries, and how a kind lays them out once more without a second copy."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.core.bundle import BUNDLE_NAME, BundleManifest

FILE_MODE, PROGRAM_MODE, FOLDER_MODE = 0o644, 0o755, 0o755
"""Whatever the umask: a rebuild must not differ by it."""


@dataclass(frozen=True, slots=True)
class Cargo:
    """`folder` is the bundle that is being written: `bundle.json` and every file that it lists stand in it."""

    folder: Path
    manifest: BundleManifest

    @property
    def files(self) -> tuple[str, ...]:
        """`bundle.json` and all that it lists, in name order, relative to the folder."""
        return tuple(sorted((BUNDLE_NAME, *(file.name for file in self.manifest.files))))

    def sha256(self, name: str) -> str:
        """Of a listed file, without reading it."""
        return next(file.sha256 for file in self.manifest.files if file.name == name)

    def lay(self, name: str, place: str) -> Path:
        """The file `name` at `place` too, both relative to the folder: the same bytes on the disk where links are."""
        return lay(self.folder / name, self.folder / place)

    def write(self, place: str, content: str | bytes, *, program: bool = False) -> Path:
        """A new file at `place`, relative to the folder. Text is UTF-8 with \\n."""
        return write_file(self.folder / place, content, program=program)


def lay(source: Path, place: Path) -> Path:
    """`source` at `place` as a hard link; a copy where the file system has none."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, place)
        place.chmod(FILE_MODE)
    return place


def write_file(path: Path, content: str | bytes, *, program: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(PROGRAM_MODE if program else FILE_MODE)
    return path


def settle_modes(folder: Path) -> None:
    """Folders get the mode that they have under any umask; files have it already, and programs keep theirs."""
    for parent, _, files in os.walk(folder):
        Path(parent).chmod(FOLDER_MODE)
        for name in files:
            path = Path(parent, name)
            path.chmod(PROGRAM_MODE if path.stat().st_mode & stat.S_IXUSR else FILE_MODE)
