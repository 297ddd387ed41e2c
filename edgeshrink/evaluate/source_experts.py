"""The feed-forward of a mixture of experts in numpy, as Mixtral, Qwen2-MoE and Qwen3-MoE compute it.

Softmax over all router logits in float32, the `used` largest of each token, scaled to a sum of 1 where the model does
so (Shazeer et al. 2017; Jiang et al. 2024, "Mixtral of Experts"). A shared expert is added to them, times the logistic
of its own router (Qwen2-MoE). Only experts that some token is sent to are read.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.importance import Floats
from edgeshrink.core.model import Experts, SourceTensor
from edgeshrink.evaluate.source_matrices import gated, logistic, multiply, need, vector
from edgeshrink.evaluate.source_names import SourceWeights


def mixture(weights: SourceWeights, layer: int, experts: Experts, state: Floats) -> Floats:
    """What the experts of `layer` make of `state` (tokens, hidden); DataError where a tensor is missing."""
    chosen, shares = _routed(multiply(state, _layer_tensor(weights, layer, "router")), experts)
    out = np.zeros_like(state)
    for number in np.unique(chosen):
        tokens, places = np.nonzero(chosen == number)
        gate, up, down = (_expert(weights, layer, part, int(number)) for part in ("gate", "up", "down"))
        inner = gated(multiply(state[tokens], gate), multiply(state[tokens], up))
        out[tokens] += shares[tokens, places, None] * multiply(inner, down)
    return out + _shared(weights, layer, state) if experts.shared_ffn else out


def _routed(logits: Floats, experts: Experts) -> tuple[NDArray[np.int64], Floats]:
    """(tokens, used) each: which experts, and their weights."""
    likely = np.exp(logits - logits.max(axis=-1, keepdims=True))
    likely /= likely.sum(axis=-1, keepdims=True)
    chosen = np.argsort(-likely, axis=-1, kind="stable")[:, : experts.used]
    shares = np.take_along_axis(likely, chosen, axis=-1)
    return chosen, shares / shares.sum(axis=-1, keepdims=True) if experts.normed else shares


def _shared(weights: SourceWeights, layer: int, state: Floats) -> Floats:
    gate, up, down = (_layer_tensor(weights, layer, f"shared_{part}") for part in ("gate", "up", "down"))
    router = vector(_layer_tensor(weights, layer, "shared_router"))
    out = multiply(gated(multiply(state, gate), multiply(state, up)), down)
    return logistic(state @ router)[:, None] * out


def _layer_tensor(weights: SourceWeights, layer: int, part: str) -> SourceTensor:
    return need(weights.in_layer(layer, part, ".weight"), weights.name(layer, part, ".weight"))


def _expert(weights: SourceWeights, layer: int, part: str, number: int) -> SourceTensor:
    """One expert's matrix, on its own or out of the tensor of all."""
    name = weights.name(layer, f"expert_{part}", ".weight").format(number)
    tensor = need(weights.tensors.get(name), name)
    if len(tensor.shape) == 2:
        return tensor
    nbytes = tensor.nbytes // tensor.shape[0]
    return replace(tensor, shape=tensor.shape[1:], offset=tensor.offset + number * nbytes, nbytes=nbytes)
