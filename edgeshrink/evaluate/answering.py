"""One probe put to one session: the text it writes, or how probable it finds each option."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.evaluate.probes import TEMPERATURES, Answer, Choose, Chosen, Generate, Probe, Refused, Said
from edgeshrink.runtimes.generate import choose
from edgeshrink.runtimes.interface import Logits, Session

Ended = Literal["stop token", "stop text", "limit", "context"]
_LOWEST = -10_000.0
"""In place of the logarithm of zero, which JSON cannot spell."""
_OCTAVE = 4  # TEMPERATURES double every four steps
_NEGLIGIBLE = 1e-12
_DIGITS = 6


class _NotFinite(Exception):
    """The model has no answer: a logit is infinite or no number."""


@dataclass(slots=True)
class _Writing:
    """What was generated so far."""

    text: bytearray = field(default_factory=bytearray)
    tokens: int = 0
    control: list[str] = field(default_factory=list)
    confidence: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(TEMPERATURES)))

    def said(self, ended: Ended) -> Said:
        text = self.text.decode("utf-8", "replace")
        confidence = tuple(round(max(float(one), _LOWEST), _DIGITS) + 0.0 for one in self.confidence)
        return Said(text, self.tokens, ended, tuple(self.control), confidence)


class Answerer:
    """Answers probes with `session`, in at most `context` positions, whatever its cache could hold."""

    def __init__(self, session: Session, context: int) -> None:
        self._session = session
        self._context = min(context, session.context)
        self._pieces: dict[int, tuple[bytes, str]] = {}

    def answer(self, probe: Probe, prompt: str, *, chat: bool) -> Answer:
        """`prompt` is the probe's own, rendered; control tokens are read in the text of a chat only."""
        try:
            ids = self.prompt_ids(prompt, chat=chat)
            if not ids:
                return Refused("the prompt has no tokens")
            if isinstance(probe, Choose):
                return self._choose(probe, prompt, ids, chat)
            return self._generate(probe, ids)
        except (DataError, RuntimeFailed) as error:
            return Refused(error.message)
        except _NotFinite:
            return Refused("its logits are not finite")

    def prompt_ids(self, text: str, *, chat: bool) -> list[int]:
        """Begins with BOS where the file wants one, and never with two."""
        ids = self._session.tokenize(text, add_special=False, parse_special=chat)
        begin = self._begin
        return ids if begin is None or ids[:1] == [begin] else [begin, *ids]

    @cached_property
    def _begin(self) -> int | None:
        return self._session.bos_id if self._session.adds_bos else None

    @cached_property
    def _stops(self) -> frozenset[int]:
        return frozenset(self._session.stop_ids)

    def _generate(self, probe: Generate, ids: Sequence[int]) -> Answer:
        if len(ids) >= self._context:
            return self._no_room(len(ids))
        session, written = self._session, _Writing()
        random = np.random.default_rng(probe.seed)
        stops = [stop.encode("utf-8", "replace") for stop in probe.stop if stop]
        session.reset()
        logits = session.prefill(ids)
        while True:
            _require_finite(logits)
            token = choose(logits, temperature=probe.temperature, top_p=1.0, random=random)
            np.minimum(written.confidence, sureness(logits, token), out=written.confidence)
            if token in self._stops:
                return written.said("stop token")
            piece, control = self._piece(token)
            if control:
                written.control.append(control)
            written.text += piece
            written.tokens += 1
            if (cut := _first_stop(written.text, stops, len(piece))) is not None:
                del written.text[cut:]
                return written.said("stop text")
            if written.tokens >= probe.max_tokens:
                return written.said("limit")
            if session.position >= self._context:
                return written.said("context")
            logits = session.decode(token)

    def _choose(self, probe: Choose, prompt: str, ids: list[int], chat: bool) -> Answer:
        """Prompt and option are cut into tokens together, as a model reads them; what all of them begin with is read
        once, and an option of one token needs no more."""
        whole = [self.prompt_ids(prompt + option, chat=chat) for option in probe.options]
        if (longest := max(map(len, whole), default=0)) > self._context:
            return self._no_room(longest)
        shared = max(1, min((_shared(ids, one) for one in whole), default=len(ids)))
        beginning, session = ids[:shared], self._session
        session.reset()
        first = session.prefill(beginning)
        found = []
        for option in whole:
            tail = option[shared:]
            total = log_probability(first, tail[0]) if tail else 0.0
            if len(tail) > 1 and session.position != shared:
                session.reset()
                session.prefill(beginning)
            for token, following in pairwise(tail):
                total += log_probability(session.decode(token), following)
            found.append((round(max(total, _LOWEST), _DIGITS), len(tail)))
        return Chosen(tuple(total for total, _ in found), tuple(count for _, count in found))

    def _no_room(self, tokens: int) -> Refused:
        return Refused(f"it does not fit the context: {tokens} tokens, and there are {self._context} positions")

    def _piece(self, token: int) -> tuple[bytes, str]:
        """Bytes of a token, and its name where it is a control token."""
        if token not in self._pieces:
            text = self._session.piece(token)
            name = "" if text else self._session.piece(token, special=True).decode("utf-8", "replace")
            self._pieces[token] = text, name
        return self._pieces[token]


def log_probability(logits: Logits, token: int) -> float:
    """Natural logarithm of the probability of `token`."""
    _require_finite(logits)
    centered = logits.astype(np.float64) - float(logits.max())
    return float(centered[token]) - math.log(float(np.exp(centered).sum()))


def sureness(logits: Logits, token: int) -> NDArray[np.float64]:
    """Natural logarithm of softmax(logits / temperature)[token] at each of TEMPERATURES.

    From one temperature to half of it every exponential is squared, so four sets of them serve all 29; those too
    small to count are dropped on the way.
    """
    centered = logits - logits.max()
    own, found = float(centered[token]), np.empty(len(TEMPERATURES))
    for top in range(len(TEMPERATURES) - 1, len(TEMPERATURES) - 1 - _OCTAVE, -1):
        weights = np.exp(centered / np.float32(TEMPERATURES[top]))
        for index in range(top, -1, -_OCTAVE):
            found[index] = own / TEMPERATURES[index] - math.log(float(weights.sum(dtype=np.float64)))
            weights = np.square(weights[weights > _NEGLIGIBLE])
    return found


def _require_finite(logits: Logits) -> None:
    if not math.isfinite(float(logits.max())):
        raise _NotFinite


def _first_stop(text: bytearray, stops: Sequence[bytes], new: int) -> int | None:
    """Where the first of `stops` begins, if one ends within the last `new` bytes."""
    places = [text.find(stop, max(0, len(text) - new - len(stop) + 1)) for stop in stops]
    return min((place for place in places if place >= 0), default=None)


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of what both begin with."""
    length = min(len(one), len(other))
    return next((place for place in range(length) if one[place] != other[place]), length)
