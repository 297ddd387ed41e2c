"""A finished file reads the reference's texts: the distances of each, and the places where it stands farthest off.

On disk: `read.json`, and one `<number>.bin` a text: a record of `distances.KEPT` a position, written as it is read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
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
_FORMAT = 2
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
        return tuple(_read_text(folder / f"{number}.bin", text) for number, text in enumerate(index["texts"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a read text: {error}", hint="run it again") from error


def _read_text(path: Path, entry: dict[str, Any]) -> ReadText:
    found, expected = Distances.kept(path), entry["windows"] * entry["scored_each"]
    if len(found.kl) != expected:
        raise ValueError(f"{path.name} has {len(found.kl)} positions of {expected}")
    return ReadText(
        entry["label"],
        entry["title"],
        entry["windows"],
        entry["first"],
        entry["scored_each"],
        found,
        tuple(Specimen(**specimen) for specimen in entry["worst"]),
    )


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
            comparison = Comparison(reference, threads)
            for number, text in enumerate(texts):
                worst = _Worst()
                with told_disk(folder), (folder / f"{number}.bin").open("wb") as file:
                    for batch in walk(session, text.windows, tell):
                        if (found := comparison.of(batch)) is not None:
                            worst.add(found)
                            found.append(file)
                entries.append(_entry(text, [_specimen(session, text, place) for place in worst.places]))
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


@dataclass(frozen=True, slots=True)
class _Place:
    """A scored position, counted over the text; what is not finite is the farthest off."""

    index: int
    kl: float
    reference_top: int
    top: int

    @property
    def order(self) -> tuple[float, int]:
        return (-self.kl if np.isfinite(self.kl) else -np.inf), self.index


class _Worst:
    """The places where the models stand farthest apart; of equals the first. Not frozen: it collects."""

    def __init__(self) -> None:
        self.places: list[_Place] = []
        self._count = 0

    def add(self, found: Distances) -> None:
        off = np.nan_to_num(found.kl, nan=np.inf, posinf=np.inf)
        for index in np.argsort(-off, kind="stable")[:_WORST].tolist():
            tops = int(found.reference_top[index]), int(found.top[index])
            self.places.append(_Place(self._count + index, float(found.kl[index]), *tops))
        self.places = sorted(self.places, key=lambda place: place.order)[:_WORST]
        self._count += len(off)


def _specimen(session: Session, text: StoredText, place: _Place) -> dict[str, object]:
    """As JSON values."""
    windows = text.windows
    window, offset = divmod(place.index, windows.scored_each)
    position, ids = windows.first + offset, windows.ids[window]
    return {
        "item": f"{text.label}, window {window + 1}, position {position}",
        "prompt": _words(session, ids[max(0, position + 1 - _SHOWN_TOKENS) : position + 1]),
        "expected": _words(session, ids[position + 1 : position + 2]),
        "reference": _words(session, (place.reference_top,)),
        "candidate": _words(session, (place.top,)),
        "loss": place.kl,
    }


def _words(session: Session, ids: Sequence[int]) -> str:
    return plain(b"".join(session.piece(token, special=True) for token in ids).decode("utf-8", "replace"))
