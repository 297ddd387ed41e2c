"""Where profiles and targets live. This one file knows the order: the person's own folders, then the shipped ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

Kind = Literal["profiles", "targets"]
Origin = Literal["yours", "shipped"]

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class DataFolder:
    """One folder that is searched, and whether it is the person's own."""

    path: Path
    origin: Origin


def data_folders(kind: Kind) -> tuple[DataFolder, ...]:
    """The folders searched for `kind`, first hit wins; a folder that is not there is listed all the same."""
    shipped = shipped_folder(kind)
    own = (Path.cwd() / kind, platformdirs.user_config_path("edgeshrink", appauthor=False) / kind)
    folders: list[DataFolder] = []
    for path in own:
        if not _same(path, shipped) and all(not _same(path, known.path) for known in folders):
            folders.append(DataFolder(path, "yours"))
    return (*folders, DataFolder(shipped, "shipped"))


def shipped_folder(kind: Kind) -> Path:
    """The checkout's folder when the package runs from a checkout, else the wheel's `_data`.

    An editable install leaves a stale copy of `_data` in site-packages; it is never looked at, because only the
    folder that this very package was imported from counts.
    """
    checkout = checkout_folder()
    return _PACKAGE / "_data" / kind if checkout is None else checkout / kind


def licence_file() -> Path:
    """edgeshrink's own licence, found like `shipped_folder`."""
    checkout = checkout_folder()
    return _PACKAGE / "_data" / "LICENSE" if checkout is None else checkout / "LICENSE"


def checkout_folder() -> Path | None:
    """The repository that the package runs from; None where it was installed from a wheel."""
    folder = _PACKAGE.parent
    return folder if (folder / "pyproject.toml").is_file() and (folder / "profiles").is_dir() else None


def display_path(path: Path) -> str:
    """`path` as the person would type it: relative to the current folder where it lies below it."""
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()
