"""Finding and reading data files by id, the same way for profiles and targets."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from edgeshrink.catalog.data import Kind, Origin, data_folders, display_path
from edgeshrink.catalog.toml import read_toml
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.core.target import NetworkFormat, Target, TargetFormat
from edgeshrink.errors import DataError

D = TypeVar("D", DeviceProfile, Target)


@dataclass(frozen=True, slots=True)
class Entry(Generic[D]):
    """One file that was found. `value` is None where the file is wrong; `problem` then says how."""

    id: str
    path: Path
    origin: Origin
    value: D | None
    problem: str = ""


def entries(kind: Kind, model: type[D]) -> tuple[Entry[D], ...]:
    """Every id's first file, sorted by id. A wrong file hides nothing but itself."""
    found: dict[str, Entry[D]] = {}
    for file_id, (path, origin) in _files(kind).items():
        try:
            found[file_id] = Entry(file_id, path, origin, _read(path, file_id, model))
        except DataError as error:
            found[file_id] = Entry(file_id, path, origin, None, error.message)
    return tuple(found[file_id] for file_id in sorted(found))


def load_entry(kind: Kind, model: type[D], wanted: str, *, also_known: tuple[str, ...] = ()) -> D:
    """The value of id `wanted`; only its own file is read."""
    files: dict[str, tuple[Path, Origin]] = _files(kind)
    if wanted in files:
        return _read(files[wanted][0], wanted, model)
    known = sorted({*files, *also_known})
    noun = kind.removesuffix("s")
    near = difflib.get_close_matches(wanted, known, n=1)
    folders = ", ".join(display_path(folder.path) for folder in data_folders(kind))
    raise DataError(
        f"unknown {noun} {wanted!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
        hint=f"known {kind}: {', '.join(known)} (searched {folders})",
    )


def _files(kind: Kind) -> dict[str, tuple[Path, Origin]]:
    found: dict[str, tuple[Path, Origin]] = {}
    for folder in data_folders(kind):
        pattern = "*.toml" if kind == "profiles" else "*/target.toml"
        for path in sorted(folder.path.glob(pattern)):
            found.setdefault(path.stem if kind == "profiles" else path.parent.name, (path, folder.origin))
    return found


def _read(path: Path, file_id: str, model: type[D]) -> D:
    value = read_toml(path, model)
    shown = display_path(path)
    if value.id != file_id:
        place = "file" if isinstance(value, DeviceProfile) else "folder"
        raise DataError(
            f"{shown}: id: expected {file_id!r}, the name of the {place}, got {value.id!r}",
            hint=f"rename the {place}, or correct the id",
        )
    if isinstance(value, Target):
        _check_ladders(shown, value)
    return value


def _check_ladders(shown: str, target: Target) -> None:
    """What a single field cannot tell: the ladder holds the scheme that it starts at, and all that aliases name."""
    for name, entry in target.formats.items():
        ladders: list[tuple[str, TargetFormat | NetworkFormat]] = [(f"formats.{name}", entry)]
        if entry.networks is not None:
            ladders.append((f"formats.{name}.networks", entry.networks))
        for place, ladder in ladders:
            if ladder.preferred_scheme not in ladder.schemes:
                raise DataError(
                    f"{shown}: {place}.preferred_scheme: expected one of {', '.join(ladder.schemes)}, "
                    f"got {ladder.preferred_scheme!r}",
                    hint=f"correct {shown} and try again",
                )
