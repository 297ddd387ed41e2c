"""Ask for hours: answers are kept item by item, and a run that was killed goes on behind the last whole one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.evaluate.asking import ask
from edgeshrink.evaluate.slices.interface import Item
from edgeshrink.evaluate.subject import Subject

_PARTS = "parts"


def ask_on(
    subject: Subject,
    items: Callable[[], Iterator[Item]],
    file: Path,
    *,
    context: int,
    threads: int,
    total: int,
    task: str,
    listener: Listener = silent,
) -> None:
    """As `asking.ask`, with what an earlier call left beside `file`. `items` gives the same each time it is called."""
    parts = file.parent / _PARTS
    if not file.exists():
        parts.mkdir(exist_ok=True)
        for scratch in (path for path in parts.iterdir() if path.is_dir()):
            shutil.rmtree(scratch)
        before = sorted(parts.iterdir())
        done = sum(map(_keep_whole_lines, before))

        def tell(progress: Progress) -> None:
            listener(replace(progress, done=progress.done + done, total=max(total, progress.total + done)))

        ask(
            subject,
            islice(items(), done, None),
            parts / f"{len(before):06}.jsonl",
            context=context,
            threads=threads,
            total=max(0, total - done),
            task=task,
            listener=tell,
        )
        whole = file.with_suffix(".part")
        with whole.open("wb") as out:
            for part in sorted(parts.iterdir()):
                with part.open("rb") as answers:
                    shutil.copyfileobj(answers, out)
        whole.replace(file)
    shutil.rmtree(parts, ignore_errors=True)


def _keep_whole_lines(path: Path) -> int:
    """How many there are; what a killed process left of another is cut off."""
    count = end = 0
    with path.open("r+b") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            count, end = count + 1, end + len(line)
        file.truncate(end)
    return count
