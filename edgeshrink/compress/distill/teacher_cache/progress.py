"""How far the writing of a teacher cache is, so that a killed run goes on: rows that are on the disk for certain."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edgeshrink.catalog.json_files import read_json_if_there
from edgeshrink.compress.corpus.corpus import PARTS, Part
from edgeshrink.compress.distill.teacher_cache.cache import part_file

PROGRESS_FILE = "progress.json"


@dataclass(slots=True)
class Progress:
    """`identity`: what the rows depend on; of another, nothing is kept. `done`: whole rows of each part."""

    folder: Path
    identity: Mapping[str, Any]
    done: dict[Part, int]

    @classmethod
    def of(cls, folder: Path, identity: Mapping[str, Any]) -> Progress:
        there = read_json_if_there(folder / PROGRESS_FILE)
        same = there.get("identity") == identity
        return cls(folder, identity, {part: int(there["done"][part]) if same else 0 for part in PARTS})

    @property
    def rows(self) -> int:
        return sum(self.done.values())

    def open(self, part: Part, row_bytes: int) -> IO[bytes]:
        """The part's file, after its last certain row: what a killed run wrote behind that is dropped."""
        file = part_file(self.folder, part)
        file.touch()
        if file.stat().st_size < self.done[part] * row_bytes:
            self.done[part] = 0
        stream = file.open("r+b")
        stream.truncate(self.done[part] * row_bytes)
        stream.seek(0, os.SEEK_END)
        return stream

    def save(self, stream: IO[bytes]) -> None:
        """What was written to `stream` is on the disk before this says so."""
        stream.flush()
        os.fsync(stream.fileno())
        aside = self.folder / f"{PROGRESS_FILE}.part"
        aside.write_text(json.dumps({"identity": self.identity, "done": self.done}), encoding="utf-8")
        aside.replace(self.folder / PROGRESS_FILE)

    def remove(self) -> None:
        (self.folder / PROGRESS_FILE).unlink(missing_ok=True)
