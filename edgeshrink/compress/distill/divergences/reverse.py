"""Reverse KL divergence, KL(student || teacher): the student keeps to what the teacher finds likely.

Gu, Dong, Wei, Huang, "MiniLLM: Knowledge Distillation of Large Language Models", 2023 (arXiv:2306.08543); here its
value for each token of the given text, not its policy gradient over whole answers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgeshrink.compress.distill.divergences.interface import Divergence
from edgeshrink.compress.distill.divergences.refusal import needs_all


class Reverse(Divergence):
    """Sum of s (log s - log t). Gradient: s (log s - log t - value)."""

    def dense(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        probabilities = student.exp()
        ratio = torch.sub(student, teacher, out=teacher)
        values = torch.linalg.vecdot(probabilities, ratio)
        return values, ratio.sub_(values[:, None]).mul_(probabilities)

    def sparse(self, student: Tensor, teacher: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
        raise needs_all("reverse")
