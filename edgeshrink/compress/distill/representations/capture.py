"""Listen to a transformers model while it runs: what its layers hand on, and their queries, keys and values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from edgeshrink.compress.distill.models import decoder_layers


@dataclass(slots=True)
class Captured:
    """Of the last forward pass, by layer. `states`: (rows, length, hidden), before the next layer's norm.

    `queries`, `keys`, `values`: (rows, length, heads * head_dim), what the layer attends with but for the rotation by
    position: after their norms where the model has such (qwen3).
    """

    states: dict[int, Tensor] = field(default_factory=dict)
    queries: dict[int, Tensor] = field(default_factory=dict)
    keys: dict[int, Tensor] = field(default_factory=dict)
    values: dict[int, Tensor] = field(default_factory=dict)


@contextmanager
def capture(model: Any, states: Collection[int], attention: Collection[int] = ()) -> Iterator[Captured]:
    """Captures of the layers `states` and of the attention of the layers `attention`; the hooks come off whatever
    happens inside."""
    captured = Captured()
    layers = decoder_layers(model)
    handles = []
    try:
        for index in states:
            handles.append(layers[index].register_forward_hook(_into(captured.states, index)))
        for index in attention:
            block = layers[index].self_attn
            for part, store in (("q", captured.queries), ("k", captured.keys), ("v", captured.values)):
                source = getattr(block, f"{part}_norm", None) or getattr(block, f"{part}_proj")
                handles.append(source.register_forward_hook(_into(store, index)))
        yield captured
    finally:
        for handle in handles:
            handle.remove()


def _into(store: dict[int, Tensor], index: int) -> Callable[[Any, Any, Any], None]:
    def hook(_module: Any, _inputs: Any, output: Any) -> None:
        tensor = output[0] if isinstance(output, tuple) else output
        store[index] = tensor.flatten(2)  # norms of heads see (rows, length, heads, head_dim)

    return hook
