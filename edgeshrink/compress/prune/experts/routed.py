"""What a router sends to each expert while text runs through a mixture. Imports torch: for jobs only.

transformers keeps the experts of a layer in `mlp.experts`: gate_up_proj (experts, 2 * ffn, hidden), gate before up, and
down_proj (experts, hidden, ffn), called with the hidden states, the numbers of the used experts, and their weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from edgeshrink.compress.prune.observing import Observing


@dataclass(frozen=True, slots=True)
class Routed:
    """The n tokens of a batch that `layer` sends to `expert`: `tokens` (n,) their places, `weights` (n,) of the router,
    `channels` (n, ffn) what enters down_proj, `outputs` (n, hidden) before the weights; all float32."""

    layer: int
    expert: int
    tokens: Tensor
    weights: Tensor
    channels: Tensor
    outputs: Tensor


class Watcher(Protocol):
    """Adds up what it is shown, and gives it as arrays by the names of `ExpertScores`."""

    def __init__(self, model: Any) -> None: ...

    def batch(self, layer: int, hidden: Tensor, used: Tensor, weights: Tensor) -> None:
        """A batch of a layer: `hidden` (tokens, hidden), `used` and `weights` (tokens, used experts)."""

    def forward(self, routed: Routed) -> None: ...

    def backward(self, routed: Routed, gradients: Tensor) -> None:
        """The same again with the loss's gradients of the layer's output, (n, hidden)."""

    def arrays(self) -> dict[str, Any]: ...


class Idle:
    """A watcher that looks at nothing: what others leave out."""

    def batch(self, layer: int, hidden: Tensor, used: Tensor, weights: Tensor) -> None: ...

    def forward(self, routed: Routed) -> None: ...

    def backward(self, routed: Routed, gradients: Tensor) -> None: ...


class RoutedExperts(Observing):
    """Shows every batch to all `watchers`."""

    def __init__(self, model: Any, watchers: tuple[Watcher, ...]) -> None:
        super().__init__(model)
        self._watchers = watchers

    def hooks(self) -> Iterator[Any]:
        for number, layer in enumerate(self.layers):
            experts = layer.mlp.experts
            yield experts.register_forward_hook(lambda module, given, out, n=number: self._see(n, module, given, out))

    def _see(self, layer: int, module: Any, given: tuple[Tensor, ...], out: Tensor) -> None:
        hidden, used, weights = (value.detach() for value in given[:3])
        hidden, weights = hidden.flatten(0, -2).float(), weights.float()
        with torch.no_grad():
            for watcher in self._watchers:
                watcher.batch(layer, hidden, used, weights)
            for routed in routed_of(layer, module, hidden, used, weights):
                for watcher in self._watchers:
                    watcher.forward(routed)
        if out.requires_grad:
            out.register_hook(lambda gradients: self._back(layer, module, (hidden, used, weights), gradients))

    def _back(self, layer: int, module: Any, given: tuple[Tensor, Tensor, Tensor], gradients: Tensor) -> None:
        rows = gradients.detach().flatten(0, -2).float()
        with torch.no_grad():
            for routed in routed_of(layer, module, *given):
                for watcher in self._watchers:
                    watcher.backward(routed, rows[routed.tokens])


def routed_of(layer: int, module: Any, hidden: Tensor, used: Tensor, weights: Tensor) -> Iterator[Routed]:
    """Expert by expert, those that no token reaches left out."""
    for expert in range(module.gate_up_proj.shape[0]):
        tokens, place = torch.where(used == expert)
        if len(tokens):
            channels, outputs = expert_of(module, expert, hidden[tokens])
            yield Routed(layer, expert, tokens, weights[tokens, place], channels, outputs)


def expert_of(module: Any, expert: int, rows: Tensor) -> tuple[Tensor, Tensor]:
    """What enters down_proj, (n, ffn), and what leaves it, (n, hidden), for `rows` (n, hidden)."""
    gate, up = (rows @ module.gate_up_proj[expert].float().T).chunk(2, dim=-1)
    channels = module.act_fn(gate) * up
    return channels, channels @ module.down_proj[expert].float().T


def sizes(model: Any) -> tuple[int, int, int]:
    """Layers, experts and their width."""
    layers = model.model.layers
    count, _, ffn = layers[0].mlp.experts.down_proj.shape
    return len(layers), int(count), int(ffn)
