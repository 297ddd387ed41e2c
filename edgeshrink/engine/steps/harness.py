"""Step: run a task of the lm-evaluation-harness on a subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.errors import StepFailed, UsageError
from edgeshrink.evaluate.harness.run import harness_build, run_task
from edgeshrink.evaluate.harness.samples import read_facts
from edgeshrink.evaluate.subject import Subject
from edgeshrink.store.digests import combined_sha256, file_sha256

SAMPLES = "samples.jsonl"
MOST_FILES = 1000


@dataclass(frozen=True)
class RunHarness:
    """Result: `samples.jsonl`, which `evaluate.harness.samples` reads. `task` is a name, or the path of a .yaml file:
    then everything in its folder belongs to it."""

    subject: Subject
    subject_sha256: str
    task: str
    items: int
    seed: int
    context: int
    threads: int
    runtime_build: str
    id: ClassVar[str] = "harness"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        own = self.task.endswith((".yaml", ".yml"))
        return {
            "inputs": {"artifact": self.subject_sha256, "task": _folder_sha256(Path(self.task)) if own else None},
            "parameters": {
                "runtime": self.subject.runtime,
                "delegate": self.subject.delegate,
                "task": Path(self.task).name if own else self.task,
                "items": self.items,
                "seed": self.seed,
                "context": self.context,
            },
            "tools": {"runtime": self.runtime_build, "harness": harness_build()},
        }

    def requires(self) -> None:
        harness_build()

    def call(self, workdir: Path, listener: Listener) -> None:
        run_task(
            self.subject,
            self.task,
            workdir / SAMPLES,
            items=self.items,
            seed=self.seed,
            context=self.context,
            threads=self.threads,
            listener=listener,
        )

    def ensures(self, workdir: Path) -> None:
        if not any(facts.samples for facts in read_facts(workdir / SAMPLES)):
            raise StepFailed(f"the task {self.task} has no samples")


def _folder_sha256(task: Path) -> str:
    """Of all files in the task's folder and below: which of them it reads is known to it alone."""
    found = []
    for file in task.parent.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            found.append((file.relative_to(task.parent).as_posix(), file_sha256(file)))
        if len(found) > MOST_FILES:
            raise UsageError(
                f"more than {MOST_FILES} files lie in {task.parent}", hint="give the task and its data a folder"
            )
    return combined_sha256(found)
