"""Step: put one round of a family's items to a subject."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.errors import StepFailed
from edgeshrink.evaluate.asking import ask, items_of
from edgeshrink.evaluate.probe_lines import probes_line
from edgeshrink.evaluate.slices.interface import Item, Settings
from edgeshrink.evaluate.slices.registry import asking
from edgeshrink.evaluate.subject import Subject

ANSWERS = "answers.jsonl"


@dataclass(frozen=True)
class Ask:
    """Result: `answers.jsonl`, which `evaluate.answers.read_answers` reads, in the order of `items()`.

    The key holds a digest of all that is asked, so a result outlives whatever does not change the questions. How many
    `threads` answer is no part of it.
    """

    subject: Subject
    subject_sha256: str
    family: str
    settings: Settings
    seed: int
    round: int
    count: int
    threads: int
    runtime_build: str
    id: ClassVar[str] = "ask"
    version: ClassVar[int] = 1

    def items(self) -> Iterator[Item]:
        """What is asked; the same items each time."""
        return items_of(asking(self.family), self.settings, seed=self.seed, round=self.round, count=self.count)

    def key_parts(self) -> Mapping[str, Any]:
        probes = hashlib.sha256()
        for item in self.items():
            probes.update(probes_line(item.id, item.probes).encode())
        return {
            "inputs": {"artifact": self.subject_sha256, "probes": probes.hexdigest()},
            "parameters": {
                "runtime": self.subject.runtime,
                "delegate": self.subject.delegate,
                "context": self.settings.context,
                "family": self.family,
                "seed": self.seed,
                "round": self.round,
            },
            "tools": {"runtime": self.runtime_build},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        ask(
            self.subject,
            self.items(),
            workdir / ANSWERS,
            context=self.settings.context,
            threads=self.threads,
            total=self.count,
            task=f"ask {self.family}",
            listener=listener,
        )

    def ensures(self, workdir: Path) -> None:
        with (workdir / ANSWERS).open("rb") as answers:
            given = sum(1 for _ in answers)
        if given != (asked := sum(1 for _ in self.items())):
            raise StepFailed(f"{given} of {asked} items of {self.family} were answered", hint="run the suite again")
