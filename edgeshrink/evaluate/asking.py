"""Put the items of a family to a subject in a child process (`asking_job`): answers as a file, one line an item.

Neither side ever holds more than one item.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

from edgeshrink.core.events import Listener, silent
from edgeshrink.evaluate.probe_lines import PROBES, probes_line
from edgeshrink.evaluate.slices.identity import identified
from edgeshrink.evaluate.slices.interface import AskingFamily, Item, Settings
from edgeshrink.evaluate.subject import Subject
from edgeshrink.runtimes.child import run_job
from edgeshrink.runtimes.progress import forward

_JOB = "edgeshrink.evaluate.asking_job:job"


def items_of(family: AskingFamily, settings: Settings, *, seed: int, round: int, count: int) -> Iterator[Item]:
    """The items of one round, named so that over all rounds a question counts once (`slices.tally`)."""
    for item in family.items(replace(settings, seed=seed), Random(f"{seed}-{family.NAME}-{round}"), count):
        yield identified(item)


def ask(
    subject: Subject,
    items: Iterable[Item],
    file: Path,
    *,
    context: int,
    threads: int,
    total: int,
    task: str = "ask",
    listener: Listener = silent,
) -> int:
    """Write the answers of `subject` to `file`, as `answers.read_answers` reads them; how many items there were.

    `total` items are expected, for progress. A prompt that cannot be put is an answer (Refused) and no error.
    RuntimeFailed: the runtime refused the artifact or died.
    """
    with tempfile.TemporaryDirectory(dir=file.parent) as scratch:
        folder = Path(scratch)
        probes, chats, count = 0, 0, 0
        with (folder / PROBES).open("w", encoding="utf-8") as out:
            for item in items:
                out.write(probes_line(item.id, item.probes))
                count += 1
                probes += len(item.probes)
                chats += sum(bool(probe.prompt.messages) for probe in item.probes)
        parameters = {
            "subject": subject.as_json(),
            "folder": str(folder),
            "file": str(file.resolve()),
            "context": context,
            "threads": threads,
            "total": max(total, count),
            "prompts": probes,
            "chats": chats,
        }
        if count:
            run_job(_JOB, parameters, on_event=forward(listener, task, unit="items"))
        else:
            file.write_text("", encoding="utf-8")
    return count
