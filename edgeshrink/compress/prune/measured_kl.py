"""Depth by measurement: take out the layer whose absence changes the predictions least, then the next, and so on.

Greedy removal with every candidate measured on text, as Song et al. 2024 ("SLEB", arXiv:2402.09025) do by perplexity,
and Kim et al. 2024 ("Shortened LLaMA", arXiv:2402.02834) in one shot; here by the mean KL of the whole model against
what would be left, nats a token, which asks for the same predictions and not for luck with the text.
L + (L - 1) + ... passes over the text. Imports torch: for jobs only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from edgeshrink.compress.prune.predictions import Whole

Saved = Callable[[list[tuple[int, float]]], None]


class Skipped(torch.nn.Module):
    """Stands in for a layer that is not there, so that the numbers of the others stay."""

    def forward(self, hidden_states: Any, *_: Any, **__: Any) -> Any:
        return hidden_states


def removal_order(
    model: Any,
    whole: Whole,
    most: int,
    *,
    known: list[tuple[int, float]],
    save: Saved,
    tell: Callable[[int, int], None],
) -> list[tuple[int, float]]:
    """At most `most` times (layer, mean KL without it and all before it).

    `known` is the beginning of an order found before; `save` gets the order so far after each removal. The model is as
    it was when this returns.
    """
    layers = model.model.layers
    kept = dict(enumerate(layers))
    order = list(known)
    total = sum(len(layers) - number for number in range(most))
    try:
        for layer, _ in order:
            layers[layer] = Skipped()
        while len(order) < most:
            measured: list[tuple[float, int]] = []
            done = sum(len(layers) - number for number in range(len(order)))
            gone = {layer for layer, _ in order}
            for candidate in (number for number in kept if number not in gone):
                layers[candidate] = Skipped()
                measured.append((whole.mean_kl(model), candidate))
                layers[candidate] = kept[candidate]
                tell(done + len(measured), total)
            best, layer = min(measured)
            layers[layer] = Skipped()
            order.append((layer, best))
            save(order)
    finally:
        for number, module in kept.items():
            layers[number] = module
    return order
