"""How many held-out pairs models agree with: the answer that was chosen is the more probable one, a token.

A token, since a longer answer is always the less probable one. The parent's side: imports no torch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgeshrink.catalog.json_files import read_json
from edgeshrink.core.events import Listener, silent
from edgeshrink.errors import DataError

JOB: Final = "edgeshrink.compress.distill.agreeing_job:job"
FILE: Final = "agreed.json"


@dataclass(frozen=True, slots=True)
class Agreed:
    """Of so many `pairs`, in the order of the models: how many each is `agreeing` with, and its mean `margins`, nats a
    token by which it finds the chosen answers more probable."""

    pairs: int
    agreeing: tuple[int, ...]
    margins: tuple[float, ...]


def agreeing(
    models: Sequence[Path], corpus: Path, folder: Path, *, threads: int, listener: Listener = silent
) -> Agreed:
    """Ask the Hugging Face folders `models`, one after the other, in a child process; the result stays in `folder`."""
    from edgeshrink.runtimes.child import run_job
    from edgeshrink.runtimes.progress import forward

    parameters = {"models": [str(model) for model in models], "corpus": str(corpus), "threads": threads}
    found = run_job(JOB, parameters, on_event=forward(listener, "held-out pairs", unit="pairs"))
    (folder / FILE).write_text(json.dumps(found) + "\n", encoding="utf-8")
    return read_agreed(folder)


def read_agreed(folder: Path) -> Agreed:
    """What `agreeing` left there."""
    data = read_json(folder / FILE)
    try:
        return Agreed(
            int(data["pairs"]),
            tuple(int(count) for count in data["agreeing"]),
            tuple(float(margin) for margin in data["margins"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder / FILE} is not whole: {error!r}", hint="ask the models again") from error
