"""From logits to text: greedy or sampled, until the model stops, the limit is reached or the context is full."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .engine import LanguageSession

TOP_P = 0.95


@dataclass
class Confidence:
    """Of an answer: the smallest probability, softmax(logits / `temperature`), of any token chosen in it so far."""

    temperature: float
    value: float = 1.0

    def chose(self, logits: NDArray[Any], token: int) -> None:
        """One more token, the stop token too. What is no number is no confidence."""
        with np.errstate(all="ignore"):
            weights = np.exp((logits.astype(np.float64) - float(logits.max())) / self.temperature)
            probability = float(weights[token] / weights.sum())
        self.value = min(self.value, probability if probability >= 0 else 0.0)


def generate(
    session: LanguageSession,
    ids: list[int],
    *,
    stop_ids: Collection[int],
    max_tokens: int,
    temperature: float,
    seed: int,
    still: Callable[[], None],
    confidence: Confidence | None = None,
) -> Iterator[str]:
    """Text as it comes; a character whose bytes span tokens is held back until it is whole.

    `temperature` 0 takes the most probable token; else the smallest set that holds 95 % of the probability is drawn
    from (nucleus sampling, arXiv:1904.09751). `still` is asked before each token, and may raise.
    `confidence` is told of each.
    """
    random = np.random.default_rng(seed)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    still()
    logits = session.begin(ids)
    for produced in range(1, max_tokens + 1):
        token = _choose(logits, temperature, random)
        if confidence is not None:
            confidence.chose(logits, token)
        if token in stop_ids:
            break
        if text := decoder.decode(session.piece(token)):
            yield text
        if produced == max_tokens or session.position >= session.context:
            break
        still()
        logits = session.step(token)
    if rest := decoder.decode(b"", final=True):
        yield rest


def _choose(logits: NDArray[Any], temperature: float, random: np.random.Generator) -> int:
    if temperature <= 0:
        return int(np.argmax(logits))
    weights = np.exp((logits.astype(np.float64) - float(logits.max())) / temperature)
    weights /= weights.sum()
    order = np.argsort(-weights, kind="stable")
    kept = int(np.searchsorted(np.cumsum(weights[order]), TOP_P)) + 1
    nucleus = order[:kept]
    return int(random.choice(nucleus, p=weights[nucleus] / weights[nucleus].sum()))
