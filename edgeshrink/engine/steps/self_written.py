"""Step: text that a teacher writes of its own accord, to learn from where nobody gave any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.compress.distill.self_written import write_texts
from edgeshrink.core.events import Listener
from edgeshrink.errors import StepFailed

FILE = "teacher.jsonl"


@dataclass(frozen=True)
class WriteTexts:
    """Result: `teacher.jsonl`, about `tokens` tokens in texts of at most `length`."""

    teacher: Path
    teacher_sha256: str
    tokens: int
    length: int
    seed: int
    threads: int
    tools: Mapping[str, str] = field(hash=False)
    id: ClassVar[str] = "self-written"
    version: ClassVar[int] = 1
    resumes: ClassVar[bool] = True

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"teacher": self.teacher_sha256},
            "parameters": {"tokens": self.tokens, "length": self.length, "seed": self.seed},
            "tools": dict(self.tools),
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        write_texts(
            self.teacher,
            workdir / FILE,
            tokens=self.tokens,
            length=self.length,
            seed=self.seed,
            threads=self.threads,
            listener=listener,
        )

    def ensures(self, workdir: Path) -> None:
        if not (workdir / FILE).stat().st_size:
            raise StepFailed("the teacher wrote nothing")
