"""Say something with a session: token by token, greedy or sampled."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np

from edgeshrink.runtimes.interface import Logits, Session


def generate(
    session: Session,
    ids: Sequence[int],
    *,
    max_tokens: int,
    stop_ids: Collection[int],
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int | None = None,
) -> Iterator[int]:
    """Ids that follow `ids`, from an empty context, until a stop id (not yielded), `max_tokens`, or a full context.

    `temperature` 0 takes the most probable id, the lowest one where several are equal. Otherwise ids are drawn from
    the smallest set that holds `top_p` of the probability (nucleus sampling, arXiv:1904.09751).
    """
    random = np.random.default_rng(seed)
    session.reset()
    logits = session.prefill(ids)
    for produced in range(1, max_tokens + 1):
        token = choose(logits, temperature=temperature, top_p=top_p, random=random)
        if token in stop_ids:
            return
        yield token
        if produced == max_tokens or session.position >= session.context:
            return
        logits = session.decode(token)


def choose(logits: Logits, *, temperature: float, top_p: float, random: np.random.Generator) -> int:
    """One id out of a row of logits (vocab,)."""
    if temperature <= 0:
        return int(np.argmax(logits))
    scaled = (logits.astype(np.float64) - float(logits.max())) / temperature
    weights = np.exp(scaled)
    weights /= weights.sum()
    order = np.argsort(-weights, kind="stable")
    cumulative = np.cumsum(weights[order])
    kept = int(np.searchsorted(cumulative, min(max(top_p, 0.0), 1.0))) + 1
    nucleus = order[:kept]
    return int(random.choice(nucleus, p=weights[nucleus] / weights[nucleus].sum()))


def stream_text(session: Session, tokens: Iterable[int]) -> Iterator[str]:
    """The text of `tokens` as it comes; a character whose bytes span tokens is held back until it is whole."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for token in tokens:
        if text := decoder.decode(session.piece(token)):
            yield text
    if rest := decoder.decode(b"", final=True):
        yield rest
