"""The loss of a few tokens and its gradient, from their logits: a divergence from the teacher mixed with cross-entropy.

With T the temperature, c the share of cross-entropy, w the weight of a token:
w ((1 - c) T^2 D(teacher at T, student at T) + c CE(text, student)). T^2 keeps the size of the gradient, which falls
with it: Hinton et al. 2015 (arXiv:1503.02531), section 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from edgeshrink.compress.distill.divergences.interface import Divergence


@dataclass(frozen=True, slots=True)
class Mix:
    """`cross_entropy` is c above, 0 to 1; without a teacher it is 1 whatever it says."""

    divergence: Divergence
    temperature: float = 1.0
    cross_entropy: float = 0.0


@dataclass(frozen=True, slots=True)
class Sparse:
    """What is known of the teacher for each of N tokens, at the mix's temperature already: see `Divergence.sparse`.

    `ids` int64, `log_probs` and `mass` floating, all (N, entries). An id may stand twice.
    """

    ids: Tensor
    log_probs: Tensor
    mass: Tensor

    def rows(self, first: int, last: int) -> Sparse:
        return Sparse(self.ids[first:last], self.log_probs[first:last], self.mass[first:last])


@dataclass(frozen=True, slots=True)
class Values:
    """Of each token, unweighted: the parts (n,) (None: not asked for, not made), and the gradient of the mixed loss by
    its logits, which is `scale` (n, 1) times `gradient` (n, vocabulary)."""

    divergence: Tensor | None
    cross_entropy: Tensor | None
    gradient: Tensor
    scale: Tensor | float = 1.0


def text_values(logits: Tensor, targets: Tensor) -> Values:
    """Cross-entropy of `targets` (n,) under `logits` (n, vocabulary), which are overwritten."""
    logs = torch.log_softmax(logits, -1)
    at = targets[:, None]
    entropy = -logs.gather(1, at)[:, 0]
    return Values(None, entropy, _less_target(logs.exp_(), at, 1.0))


def sparse_values(logits: Tensor, targets: Tensor, teacher: Sparse, mix: Mix, *, text: bool) -> Values:
    """As `mix` says, `teacher` of the same n tokens. `text`: the cross-entropy too, even where nothing is mixed in."""
    temperature, share = mix.temperature, mix.cross_entropy
    logs = torch.log_softmax(logits if temperature == 1 else logits / temperature, -1)
    values, pulls = mix.divergence.sparse(logs.gather(1, teacher.ids), teacher.log_probs, teacher.mass)
    # The gradient of a row is p * total + pulls: row scales are cheaper outside of the large matrix.
    pulls, total = pulls * (1 - share), -(1 - share) * pulls.sum(-1, keepdim=True)
    at = targets[:, None]
    if temperature == 1:
        total = total + share
        entropy = -logs.gather(1, at)[:, 0]
        gradient = logs.exp_().scatter_add_(1, teacher.ids, pulls / total)
        if share:
            gradient.scatter_add_(1, at, -share / total)
        return Values(values, entropy, gradient, total)
    plain = text_values(logits, targets) if share or text else None
    gradient = logs.exp_().mul_(total).scatter_add_(1, teacher.ids, pulls).mul_(temperature)
    return _joined(values * temperature**2, gradient, plain, share)


def dense_values(logits: Tensor, targets: Tensor, teacher_logits: Tensor, mix: Mix, *, text: bool) -> Values:
    """As `sparse_values`, from all of the teacher's logits (n, vocabulary). Both may be overwritten."""
    temperature, share = mix.temperature, mix.cross_entropy
    if temperature != 1:
        plain = text_values(logits, targets) if share or text else None
        logs = torch.log_softmax(logits.div_(temperature), -1)
        theirs = torch.log_softmax(teacher_logits.div_(temperature), -1)
        values, gradient = mix.divergence.dense(logs, theirs)
        return _joined(values * temperature**2, gradient.mul_(temperature * (1 - share)), plain, share)
    logs = torch.log_softmax(logits, -1)
    at = targets[:, None]
    entropy = -logs.gather(1, at)[:, 0]
    values, gradient = mix.divergence.dense(logs, torch.log_softmax(teacher_logits, -1))
    if share:
        gradient.mul_(1 - share).add_(_less_target(logs.exp_(), at, 1.0), alpha=share)
    return Values(values, entropy, gradient)


def _joined(divergence: Tensor, gradient: Tensor, plain: Values | None, share: float) -> Values:
    if plain is None:
        return Values(divergence, None, gradient)
    return Values(divergence, plain.cross_entropy, gradient.add_(plain.gradient, alpha=share) if share else gradient)


def _less_target(probabilities: Tensor, at: Tensor, amount: float) -> Tensor:
    return probabilities.scatter_add_(1, at, torch.full_like(at, -amount, dtype=probabilities.dtype))
