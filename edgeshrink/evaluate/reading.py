"""A finished file reads the reference's texts: the distances of each, and the places where it stands farthest off.

One with another vocabulary reads them in its own tokens: what they cost, and no distances. On disk: `read.json`, and of
each text `<number>.bits`, a record of `bits.Bits` a position, written as it is read, and with distances `<number>.bin`,
one of `distances.KEPT`.
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
from edgeshrink.evaluate.bits import Bits
from edgeshrink.evaluate.distances import Distances
from edgeshrink.evaluate.reference import Reference, StoredText, read_reference
from edgeshrink.evaluate.scoring import Emit, open_for, teller
from edgeshrink.evaluate.slices.interface import ReadText
from edgeshrink.evaluate.spelling import OwnTokens, Spelling, another_vocabulary, read_spelling
from edgeshrink.evaluate.subject import Subject
from edgeshrink.evaluate.walk import Comparison, told_disk, walk
from edgeshrink.evaluate.windows import batch_for
from edgeshrink.runtimes.interface import Session
from edgeshrink.runtimes.progress import forward

INDEX = "read.json"
_FORMAT = 3
_BITS = ".bits"
_WORST = 5
_SHOWN_TOKENS = 32


def read_candidate(
    subject: Subject, reference: Reference, folder: Path, *, context: int, threads: int, listener: Listener = silent
) -> tuple[ReadText, ...]:
    """Run `subject` in a child process over every window of `reference`, and keep the distances in `folder`.

    In the most precise arithmetic that its runtime has. Where its vocabulary is another, a window takes other tokens,
    `context` at most. RuntimeFailed where the runtime refuses the file or dies.
    """
    from edgeshrink.runtimes.child import run_job

    parameters = {
        "subject": subject.as_json(),
        "reference": str(reference.folder),
        "folder": str(folder),
        "context": context,
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
    bits, apart = Bits.kept(path.with_suffix(_BITS)), entry["apart"]
    found = Distances.none() if apart else Distances.kept(path)
    given = (entry["label"], entry["title"], entry["windows"], entry["first"], entry["scored_each"])
    text = ReadText(*given, found, tuple(Specimen(**specimen) for specimen in entry["worst"]), bits, apart)
    for name, count in ((_BITS, len(bits.nll)), (path.suffix, text.positions if apart else len(found.kl))):
        if count != text.positions:
            raise ValueError(f"{path.with_suffix(name).name} has {count} positions of {text.positions}")
    return text


def read_job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """In the child. Parameters: see `read_candidate`."""
    folder, subject = Path(parameters["folder"]), Subject.of(parameters["subject"])
    reference = read_reference(Path(parameters["reference"]))
    entries: list[dict[str, object]] = []
    if reference.texts:
        texts, spelling = list(reference.texts), read_spelling(reference.folder)
        context, threads = int(parameters["context"]), int(parameters["threads"])
        with open_for(subject, texts, reference.vocab_size, threads) as session:
            apart = another_vocabulary(session, spelling, reference.vocab_size)
            batch = batch_for(session.vocab_size, context)
            if not apart:
                entries = _distances(session, reference, spelling, folder, threads, emit)
        if apart:
            with subject.open(context=context, threads=threads, batch=batch) as session:
                entries = _own(OwnTokens(session, spelling, context, threads), reference, folder, apart, emit)
    with told_disk(folder):
        (folder / INDEX).write_text(json.dumps({"format": _FORMAT, "texts": entries}), encoding="utf-8")
    return {}


def _distances(
    session: Session, reference: Reference, spelling: Spelling, folder: Path, threads: int, emit: Emit
) -> list[dict[str, object]]:
    tell, comparison = teller(list(reference.texts), emit), Comparison(reference, threads)
    entries = []
    for number, text in enumerate(reference.texts):
        worst = _Worst()
        with (
            told_disk(folder),
            (folder / f"{number}.bin").open("wb") as file,
            (folder / f"{number}{_BITS}").open("wb") as bits,
        ):
            for batch in walk(session, text.windows, tell):
                if (found := comparison.of(batch)) is not None:
                    worst.add(found)
                    found.append(file)
                    spelling.bits(found, batch.scored[1]).append(bits)
        entries.append(_entry(text, [_specimen(session, text, place) for place in worst.places]))
    return entries


def _own(own: OwnTokens, reference: Reference, folder: Path, apart: str, emit: Emit) -> list[dict[str, object]]:
    tell, done = teller(list(reference.texts), emit), 0
    entries = []
    for number, text in enumerate(reference.texts):
        rows = reference.rows(done, text.windows.scored)
        done += len(rows)
        with told_disk(folder), (folder / f"{number}{_BITS}").open("wb") as file:
            for bits in own.bits(text.windows, -rows["following"]):
                bits.append(file)
                tell(text.windows.size)
        entries.append(_entry(text, [], apart))
    return entries


def _entry(text: StoredText, worst: list[dict[str, object]], apart: str = "") -> dict[str, object]:
    windows = text.windows
    return {
        "label": text.label,
        "title": text.title,
        "windows": len(windows.ids),
        "first": windows.first,
        "scored_each": windows.scored_each,
        "worst": worst,
        "apart": apart,
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
