"""Skewed reverse KL divergence, KL(s || a s + (1 - a) t): the reverse one, bounded where the teacher says almost never.

Ko, Kim, Chen, Yun, "DistiLLM: Towards Streamlined Distillation for Large Language Models", 2024 (arXiv:2402.03898).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from edgeshrink.compress.distill.divergences.interface import Divergence
from edgeshrink.compress.distill.divergences.refusal import needs_all


class SkewReverse(Divergence):
    """`skew` is the paper's alpha, 0 to below 1; 0 is the reverse divergence itself."""

    def __init__(self, skew: float) -> None:
        self._student, self._teacher = math.log(skew) if skew else -math.inf, math.log1p(-skew)

    def dense(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        probabilities = student.exp()
        mixed = torch.logaddexp(student + self._student, teacher.add_(self._teacher))
        ratio = torch.sub(student, mixed, out=teacher)
        values = torch.linalg.vecdot(probabilities, ratio)
        # dvalue/ds = log(s / m) + 1 - (share of the student in the mixture); the 1 drops out
        ratio.sub_(torch.sub(student, mixed, out=mixed).add_(self._student).exp_())
        mean = torch.linalg.vecdot(probabilities, ratio)
        return values, ratio.sub_(mean[:, None]).mul_(probabilities)

    def sparse(self, student: Tensor, teacher: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
        raise needs_all("skew-reverse")
