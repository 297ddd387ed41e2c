"""Steps: the reference reads the texts of a suite's round; a finished file reads the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.evaluate.reading import load_read, read_candidate
from edgeshrink.evaluate.reference import read_reference, read_texts
from edgeshrink.evaluate.subject import Subject
from edgeshrink.evaluate.texts import LabelledText


@dataclass(frozen=True)
class ReadReference:
    """Result: a folder that `evaluate.reference.read_reference` reads.

    `tokens_each`: tokens of each text in the first round.
    """

    subject: Subject
    subject_sha256: str
    name: str
    texts: tuple[LabelledText, ...]
    context: int
    threads: int
    tokens_each: int
    runtime_build: str
    id: ClassVar[str] = "read-reference"
    version: ClassVar[int] = 3

    def key_parts(self) -> Mapping[str, Any]:
        texts = [[text.label, text.title, text.text.sha256, text.round] for text in self.texts]
        return {
            "inputs": {"subject": self.subject_sha256, "texts": texts},
            "parameters": {
                "runtime": self.subject.runtime,
                "delegate": self.subject.delegate,
                "context": self.context,
                "name": self.name,
                "tokens_each": self.tokens_each,
            },
            "tools": {"runtime": self.runtime_build},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        read_texts(
            self.subject,
            self.texts,
            workdir,
            name=self.name,
            context=self.context,
            threads=self.threads,
            tokens_each=self.tokens_each,
            listener=listener,
        )

    def ensures(self, workdir: Path) -> None:
        read_reference(workdir)


@dataclass(frozen=True)
class ReadCandidate:
    """Result: a folder that `evaluate.reading.load_read` reads. `reference`: a ReadReference's folder and digest.

    `context`: tokens that a window may take where the vocabulary is another.
    """

    subject: Subject
    subject_sha256: str
    reference: tuple[Path, str]
    context: int
    threads: int
    runtime_build: str
    id: ClassVar[str] = "read-candidate"
    version: ClassVar[int] = 3

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"subject": self.subject_sha256, "reference": self.reference[1]},
            "parameters": {
                "runtime": self.subject.runtime,
                "delegate": self.subject.delegate,
                "context": self.context,
            },
            "tools": {"runtime": self.runtime_build},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        read_candidate(
            self.subject,
            read_reference(self.reference[0]),
            workdir,
            context=self.context,
            threads=self.threads,
            listener=listener,
        )

    def ensures(self, workdir: Path) -> None:
        load_read(workdir)
