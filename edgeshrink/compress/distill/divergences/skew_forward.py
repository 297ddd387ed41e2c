"""Skewed forward KL divergence, KL(t || a t + (1 - a) s): gradients stay bounded where the student says almost never.

Ko, Kim, Chen, Yun, "DistiLLM: Towards Streamlined Distillation for Large Language Models", 2024 (arXiv:2402.03898).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from edgeshrink.compress.distill.divergences.interface import Divergence


class SkewForward(Divergence):
    """`skew` is the paper's alpha, 0 to below 1; 0 is the forward divergence itself."""

    def __init__(self, skew: float) -> None:
        self._teacher, self._student = math.log(skew) if skew else -math.inf, math.log1p(-skew)

    def dense(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        probabilities = teacher.exp()
        mixed = torch.logaddexp(teacher + self._teacher, student + self._student)
        values = torch.linalg.vecdot(probabilities, teacher.sub_(mixed))
        # s dvalue/ds = -t (share of the student in the mixture)
        pulls = torch.sub(student, mixed, out=mixed).add_(self._student).exp_().mul_(probabilities)
        total = pulls.sum(-1, keepdim=True)
        return values, torch.exp(student, out=teacher).mul_(total).sub_(pulls)

    def sparse(self, student: Tensor, teacher: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
        mixed = torch.logaddexp(teacher + self._teacher, student + self._student)
        return (mass * (teacher - mixed)).sum(-1), -mass * (student + self._student - mixed).exp()
