"""One task of the harness on one subject, in a child process."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edgeshrink.core.events import Listener, silent
from edgeshrink.evaluate.subject import Subject
from edgeshrink.runtimes.child import run_job
from edgeshrink.runtimes.packages import build_of
from edgeshrink.runtimes.progress import forward

EXTRA = "lm-eval"
_JOB = "edgeshrink.evaluate.harness.job:job"


def harness_build() -> str:
    """Its name and version; ToolMissing where it is not installed."""
    return build_of(EXTRA, ("lm_eval", "lm-eval"))


def run_task(
    subject: Subject,
    task: str,
    file: Path,
    *,
    items: int,
    seed: int,
    context: int,
    threads: int,
    listener: Listener = silent,
) -> int:
    """Write the samples of `task` (a name, or the path of a .yaml file) to `file`, as `samples.read_samples` reads
    them; how many there are. `items` documents are drawn by `seed`, of a group's tasks together.

    UsageError: there is no such task. DataError: its data cannot be had, or it failed.
    """
    with tempfile.TemporaryDirectory(dir=file.parent) as scratch:
        parameters = {
            "subject": subject.as_json(),
            "task": task,
            "file": str(file.resolve()),
            "scratch": scratch,
            "items": items,
            "seed": seed,
            "context": context,
            "threads": threads,
        }
        result = run_job(_JOB, parameters, on_event=forward(listener, f"lm-eval {Path(task).stem}", unit="requests"))
    return int(str(result["samples"]))
