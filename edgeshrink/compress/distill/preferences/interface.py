"""What a loss of pairs sees of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Ratios:
    """Of P pairs, (P,) each: `chosen` and `rejected` are log(student / reference) of the whole answers, nats, summed
    over so many tokens."""

    chosen: Tensor
    rejected: Tensor
    chosen_tokens: Tensor
    rejected_tokens: Tensor


class Loss(Protocol):
    def __call__(self, ratios: Ratios, beta: float) -> Tensor:
        """(P,) losses; the smaller `beta`, the farther the student may go from the reference."""
