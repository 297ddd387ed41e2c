"""A finished file reads the reference's texts: the distances of each, and the places where it stands farthest off.

On disk: `read.json`, and one `<number>.npz` of Distances a text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from edgeshrink.core.behaviour import Specimen
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.plain import plain
from edgeshrink.errors import DataError
from edgeshrink.evaluate.distances import Distances
from edgeshrink.evaluate.reference import Reference, StoredText, read_reference
from edgeshrink.evaluate.scoring import Emit, open_for, require_vocabulary, teller
from edgeshrink.evaluate.slices.interface import ReadText
from edgeshrink.evaluate.subject import Subject
from edgeshrink.evaluate.walk import Comparison, told_disk, walk
from edgeshrink.runtimes.interface import Session
from edgeshrink.runtimes.progress import forward

INDEX = "read.json"
_FORMAT = 1
_WORST = 5
_SHOWN_TOKENS = 32


def read_candidate(
    subject: Subject, reference: Reference, folder: Path, *, threads: int, listener: Listener = silent
) -> tuple[ReadText, ...]:
    """Run `subject` in a child process over every window of `reference`, and keep the distances in `folder`.

    In the most precise arithmetic that its runtime has. RuntimeFailed where the runtime refuses the file or dies;
    DataError where its vocabulary is not the reference's.
    """
    from edgeshrink.runtimes.child import run_job

    parameters = {
        "subject": subject.as_json(),
        "reference": str(reference.folder),
        "folder": str(folder),
        "threads": threads,
    }
    told = forward(listener, "read", unit="tokens")
    run_job("edgeshrink.evaluate.reading:read_job", parameters, on_event=told)
    return load_read(folder)


def load_read(folder: Path) -> tuple[ReadText, ...]:
    """What `read_candidate` left in `folder`; DataError where it is not whole."""
    path = folder / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        if index["format"] != _FORMAT:
            raise ValueError(f"format {index['format']}")
        return tuple(
            ReadText(
                text["label"],
                text["title"],
                text["windows"],
                text["first"],
                text["scored_each"],
                Distances.load(folder / f"{number}.npz"),
                tuple(Specimen(**specimen) for specimen in text["worst"]),
            )
            for number, text in enumerate(index["texts"])
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a read text: {error}", hint="run it again") from error


def read_job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """In the child. Parameters: see `read_candidate`."""
    folder, subject = Path(parameters["folder"]), Subject.of(parameters["subject"])
    reference = read_reference(Path(parameters["reference"]))
    entries: list[dict[str, object]] = []
    if reference.texts:
        texts = list(reference.texts)
        tell = teller(texts, emit)
        threads = int(parameters["threads"])
        with open_for(subject, texts, reference.vocab_size, threads) as session:
            require_vocabulary(session, reference.vocab_size, subject)
            for number, (text, rows) in enumerate(reference.parts()):
                comparison = Comparison(rows, threads)
                for batch in walk(session, text.windows, tell):
                    comparison.add(batch)
                found = comparison.distances()
                entries.append(_entry(text, _worst(session, text, found)))
                with told_disk(folder):
                    found.save(folder / f"{number}.npz")
    with told_disk(folder):
        (folder / INDEX).write_text(json.dumps({"format": _FORMAT, "texts": entries}), encoding="utf-8")
    return {}


def _entry(text: StoredText, worst: list[dict[str, object]]) -> dict[str, object]:
    windows = text.windows
    return {
        "label": text.label,
        "title": text.title,
        "windows": len(windows.ids),
        "first": windows.first,
        "scored_each": windows.scored_each,
        "worst": worst,
    }


def _worst(session: Session, text: StoredText, found: Distances) -> list[dict[str, object]]:
    """Specimens, as JSON values."""
    windows = text.windows
    specimens: list[dict[str, object]] = []
    for index in np.argsort(-np.nan_to_num(found.kl, nan=np.inf, posinf=np.inf), kind="stable")[:_WORST]:
        window, offset = divmod(int(index), windows.scored_each)
        position = windows.first + offset
        ids = windows.ids[window]
        specimens.append(
            {
                "item": f"{text.label}, window {window + 1}, position {position}",
                "prompt": _words(session, ids[max(0, position + 1 - _SHOWN_TOKENS) : position + 1]),
                "expected": _words(session, ids[position + 1 : position + 2]),
                "reference": _words(session, (int(found.reference_top[index]),)),
                "candidate": _words(session, (int(found.top[index]),)),
                "loss": float(found.kl[index]),
            }
        )
    return specimens


def _words(session: Session, ids: tuple[int, ...]) -> str:
    return plain(b"".join(session.piece(token, special=True) for token in ids).decode("utf-8", "replace"))
