"""Rows of text written by a model, many at once, with its cache of keys and values. Imports torch: for jobs only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor

from edgeshrink.compress.distill.models import head_weight

After = Callable[[int, list[int]], Sequence[int]]


def _nothing(_row: int, _text: list[int]) -> Sequence[int]:
    """A text ends where the model ends it."""
    return ()


def continue_texts(
    model: Any,
    beginnings: Sequence[Sequence[int]],
    draws: NDArray[np.float64],
    *,
    stops: Collection[int],
    vocabulary: int | None = None,
    temperature: float = 1.0,
    greedy: int = 0,
    after: After = _nothing,
) -> list[list[int]]:
    """Each of `beginnings` (at least a token, of any lengths) continued by sampling, to a stop or to the whole length.

    `draws` (rows, length) in [0, 1) decide: token i of a row is the one whose share of the distribution at
    `temperature` draws[row, i] falls in, so a row's text does not depend on what is written beside it but for the
    rounding of sums. The first `greedy` tokens after a beginning are the likeliest ones instead. Ids from `vocabulary`
    on are never written. After one of `stops`, `after(row, its text so far)` gives the tokens to go on from; none: the
    text is finished. A text's stop is its last token.
    """
    length = draws.shape[1]
    texts = [list(beginning[:length]) for beginning in beginnings]
    chosen_from = [len(text) + greedy for text in texts]
    writer = _Writer(model, vocabulary, temperature)
    at = min(map(len, texts))
    live, finished = list(range(len(texts))), set[int]()
    states = writer.read([text[:at] for text in texts])
    while at < length:
        places = [place for place, row in enumerate(live) if row not in finished and len(texts[row]) == at]
        if places:
            rows = [live[place] for place in places]
            shares = np.where([at < chosen_from[row] for row in rows], np.nan, draws[rows, at])
            for row, token in zip(rows, writer.pick(states, places, shares), strict=True):
                texts[row].append(token)
                if token in stops:
                    more = list(after(row, texts[row]))
                    texts[row] += more
                    finished |= {row} if not more else set()
        at += 1
        if at == length or len(finished) == len(texts):
            break
        standing = [place for place, row in enumerate(live) if row not in finished]
        if 8 * (len(live) - len(standing)) >= len(live):  # each removal copies the cache, which every step does anyway
            live = [live[place] for place in standing]
            writer.keep(standing)
        states = writer.read([[texts[row][at - 1] if row not in finished else 0] for row in live])
    return [text[:length] for text in texts]


def pick(logits: Tensor, draws: Tensor, temperature: float = 1.0) -> Tensor:
    """(n) ids of `logits` (n, vocabulary): the inverse of the cumulative distribution at `draws` (n) float64 in [0, 1);
    the likeliest one where a draw is NaN."""
    sums = (logits.float() / temperature).softmax(-1).cumsum(-1, dtype=torch.float64)
    wanted = draws[:, None].nan_to_num() * sums[:, -1:]
    drawn = torch.searchsorted(sums, wanted, right=True)[:, 0].clamp_(max=logits.shape[1] - 1)
    return torch.where(draws.isnan(), logits.argmax(-1), drawn) if draws.isnan().any() else drawn


class _Writer:
    """One model and what it has read of some rows."""

    def __init__(self, model: Any, vocabulary: int | None, temperature: float) -> None:
        self._decoder = model.get_decoder()
        self._head = head_weight(model)[:vocabulary]
        self._cache = transformers.DynamicCache(config=self._decoder.config)
        self._temperature = temperature

    def read(self, tokens: list[list[int]]) -> Tensor:
        """(rows, hidden): what the head reads at the last of these further tokens."""
        ids = torch.tensor(tokens, dtype=torch.int64, device=self._head.device)
        with torch.no_grad():
            output = self._decoder(input_ids=ids, past_key_values=self._cache, use_cache=True)
        states: Tensor = output.last_hidden_state[:, -1]
        return states

    def pick(self, states: Tensor, places: list[int], draws: NDArray[np.float64]) -> list[int]:
        chosen = states if len(places) == len(states) else states[places]
        with torch.no_grad():
            logits = torch.nn.functional.linear(chosen.to(self._head.dtype), self._head)
        return list(pick(logits, torch.from_numpy(draws).to(logits.device), self._temperature).tolist())

    def keep(self, places: list[int]) -> None:
        """Forget the rows that are not in `places`."""
        self._cache.batch_select_indices(torch.tensor(places, device=self._head.device))
