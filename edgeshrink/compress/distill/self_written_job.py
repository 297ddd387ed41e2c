"""The child's side of `write_texts`: batch after batch, the lines of each kept with what is needed to go on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from edgeshrink.catalog.json_files import read_json
from edgeshrink.compress.distill.models import load_frozen, mixed_precision
from edgeshrink.compress.distill.sampling import continue_texts
from edgeshrink.compress.distill.self_written import partial_file, read_state, record_file
from edgeshrink.errors import DataError
from edgeshrink.runtimes.tokenizer_files import TokenizerFiles

Kind = Literal["start", "word", "chat"]
Line = tuple[dict[str, object], int]
"""What goes into the file, and how many tokens of it the model wrote."""
_LIKELIEST = 3  # tokens after a random word
_FRUITLESS = 24  # batches without one new text after which nothing more is expected
_PLACES = ("tokenizer", "threads")


@dataclass(slots=True)
class State:
    """How far the file is. `spent`: tokens sampled for each kind, kept or not. `nbytes`: of the whole lines."""

    batches: int = 0
    nbytes: int = 0
    texts: int = 0
    tokens: int = 0
    duplicates: int = 0
    dropped: int = 0
    fruitless: int = 0
    seconds: float = 0.0
    finished: bool = False
    spent: dict[str, int] = field(default_factory=dict)


def job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """Write `file`. Parameters: see `write_texts`."""
    file = Path(parameters["file"])
    order = {name: value for name, value in parameters.items() if name not in _PLACES}
    found = read_state(file, order)
    state = State() if found is None else State(**found)
    if not (state.finished and file.is_file()):
        torch.set_num_threads(int(parameters["threads"]))
        state.finished = False
        _write(file, state, parameters, order, emit)
    return {
        **{name: getattr(state, name) for name in ("texts", "tokens", "duplicates", "dropped", "seconds")},
        "tokens_s": state.tokens / max(state.seconds, 1e-9),
    }


def _write(
    file: Path,
    state: State,
    parameters: dict[str, Any],
    order: dict[str, Any],
    emit: Callable[[dict[str, object]], None],
) -> None:
    author = Author(parameters)
    wanted = int(parameters["tokens"])
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_file(file)
    with partial.open("ab") as lines:
        if lines.tell() < state.nbytes:
            state = _reset(state)  # the lines are gone, though not what remembers them
        lines.truncate(state.nbytes)
        seen = set(_digests(partial))
        while state.tokens < wanted:
            begun = time.monotonic()
            texts = state.texts
            for line, tokens in author.batch(state):
                digest = _digest(line)
                if digest in seen:
                    state.duplicates += 1
                    continue
                seen.add(digest)
                state.nbytes += lines.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
                state.texts += 1
                state.tokens += tokens
            lines.flush()
            os.fsync(lines.fileno())
            state.fruitless = state.fruitless + 1 if state.texts == texts else 0
            if state.fruitless >= _FRUITLESS:
                raise DataError(
                    f"{parameters['model']} writes nothing new: {state.texts} texts of {state.tokens} tokens, then "
                    f"{state.fruitless} batches of empty texts or ones that were there",
                    hint="bring text with --data FILE",
                )
            state.batches += 1
            state.seconds += time.monotonic() - begun
            _remember(file, order, state)
            emit({"done": min(state.tokens, wanted), "total": wanted})
    partial.replace(file)
    state.finished = True
    _remember(file, order, state)


def _reset(state: State) -> State:
    for name, value in asdict(State()).items():
        setattr(state, name, value)
    return state


def _remember(file: Path, order: dict[str, Any], state: State) -> None:
    record = record_file(file)
    aside = record.with_name(record.name + ".new")
    aside.write_text(json.dumps({"order": order, "state": asdict(state)}), encoding="utf-8")
    aside.replace(record)


def _digests(partial: Path) -> Iterator[bytes]:
    with partial.open(encoding="utf-8") as lines:
        for line in lines:
            yield _digest(json.loads(line))


def _digest(line: dict[str, Any]) -> bytes:
    """Of the words alone: texts that differ in white space are the same text."""
    messages = line.get("messages") or [{"content": line.get("text")}]
    return sha256("\0".join(" ".join(entry["content"].split()) for entry in messages).encode()).digest()


class Author:
    """A model with its tokenizer, and the kinds of text it can begin."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._mixed = self._device == "cuda" and mixed_precision(self._device)  # slower on a CPU, for so few rows
        self._model = load_frozen(Path(parameters["model"]), mixed=self._mixed, device=self._device)
        self._size = int(parameters["vocabulary"])
        config = read_json(Path(parameters["model"]) / "config.json")
        self._tokenizer = TokenizerFiles(Path(parameters["tokenizer"]), config, self._size)
        self._parameters = parameters
        self._specials = frozenset(parameters["specials"])
        self._bos = [] if parameters["bos"] is None else [int(parameters["bos"])]
        self._words = [number for number in range(self._size) if self._is_word(number)]
        kinds: dict[Kind, bool] = {
            "start": bool(self._bos),
            "word": bool(self._words),
            "chat": parameters["turn"] is not None,
        }
        self._kinds = [kind for kind, possible in kinds.items() if possible]
        if not self._kinds:
            raise DataError(f"{parameters['model']} has neither BOS nor words nor a chat template to begin a text with")

    def batch(self, state: State) -> list[Line]:
        """The lines of the next batch, of the kind that the fewest tokens were spent on; counts go to `state`."""
        kind = min(self._kinds, key=lambda kind: state.spent.get(kind, 0))
        rows = int(self._parameters["rows"])
        length = int(self._parameters["chat_length" if kind == "chat" else "length"])
        random = np.random.default_rng((int(self._parameters["seed"]), state.batches))
        draws = random.random((rows, length))
        beginnings = self._beginnings(kind, rows, random)
        answers: dict[int, int] = {}
        texts = self._continue(kind, beginnings, draws, answers)
        state.spent[kind] = state.spent.get(kind, 0) + sum(map(len, texts))
        if kind == "chat":
            lines = [self._chat(text, answers.get(row)) for row, text in enumerate(texts)]
        else:
            lines = [self._text(text) for text in texts]
        kept = [line for line in lines if line is not None]
        state.dropped += rows - len(kept)
        return kept

    def _beginnings(self, kind: Kind, rows: int, random: np.random.Generator) -> list[list[int]]:
        if kind == "chat":
            return [list(self._parameters["turn"][0]) for _ in range(rows)]
        if kind == "start":
            return [list(self._bos) for _ in range(rows)]
        return [[*self._bos, int(word)] for word in random.choice(self._words, rows)]

    def _continue(
        self, kind: Kind, beginnings: list[list[int]], draws: Any, answers: dict[int, int]
    ) -> list[list[int]]:
        """`answers` is told where the answer of a row of chat begins."""

        def after(row: int, text: list[int]) -> Sequence[int]:
            if kind != "chat" or row in answers:
                return ()
            text.pop()  # the template has its own end of a user's words
            answers[row] = len(text) + len(self._parameters["turn"][1])
            return list(self._parameters["turn"][1])

        with torch.autocast(self._device, torch.bfloat16) if self._mixed else nullcontext():
            return continue_texts(
                self._model,
                beginnings,
                draws,
                stops=self._specials,
                vocabulary=self._size,
                temperature=float(self._parameters["temperature"]),
                greedy=_LIKELIEST if kind == "word" else 0,
                after=after,
            )

    def _text(self, text: list[int]) -> Line | None:
        own = text[len(self._bos) : len(text) - (text[-1] in self._specials)]
        words = self._spell(own)
        return ({"text": words}, len(own)) if words.strip() else None

    def _chat(self, text: list[int], answer: int | None) -> Line | None:
        """None where a side said nothing, or the answer did not end."""
        before, between = self._parameters["turn"]
        if answer is None or len(text) <= answer or text[-1] not in self._specials:
            return None
        asked, said = text[len(before) : answer - len(between)], text[answer:-1]
        question, reply = self._spell(asked).strip(), self._spell(said).strip()
        if not question or not reply:
            return None
        messages = [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
        return {"messages": messages}, len(asked) + len(said)

    def _spell(self, ids: list[int]) -> str:
        """Bytes at a cut that are no whole character are left out."""
        return self._tokenizer.text(ids, special=False).decode("utf-8", "ignore")

    def _is_word(self, number: int) -> bool:
        if number in self._specials:
            return False
        try:
            return self._tokenizer.piece(number, special=False).decode().strip().isalpha()
        except UnicodeDecodeError:
            return False
