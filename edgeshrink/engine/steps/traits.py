"""Step: what of a language model decides which items it can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.catalog.texts import Text
from edgeshrink.core.events import Listener
from edgeshrink.core.values import from_json, to_json
from edgeshrink.errors import StepFailed
from edgeshrink.evaluate.subject import Subject
from edgeshrink.evaluate.traits import Traits, read_traits

_FILE = "traits.json"


@dataclass(frozen=True)
class ReadTraits:
    """Result: `traits.json`, a Traits, measured on `text`."""

    subject: Subject
    sha256: str
    text: Text
    runtime_build: str
    id: ClassVar[str] = "traits"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"artifact": self.sha256, "text": self.text.sha256},
            "parameters": {},
            "tools": {"runtime": self.runtime_build},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        (workdir / _FILE).write_text(to_json(read_traits(self.subject, self.text.text)), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        if stored_traits(workdir).characters_per_token <= 0:
            raise StepFailed("the vocabulary cuts text into nothing")


def stored_traits(folder: Path) -> Traits:
    return from_json(Traits, folder / _FILE)
