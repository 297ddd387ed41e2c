"""Generalized Jensen-Shannon divergence: b KL(t || m) + (1 - b) KL(s || m), m = b t + (1 - b) s; bounded.

Agarwal et al., "On-Policy Distillation of Language Models: Learning from Self-Generated Mistakes" (GKD), 2023
(arXiv:2306.13649), equation 1. Divided by b it goes to the forward divergence as b goes to 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from edgeshrink.compress.distill.divergences.interface import Divergence
from edgeshrink.compress.distill.divergences.refusal import needs_all


class JensenShannon(Divergence):
    """`weight` is the paper's beta, the teacher's share of the mixture, between 0 and 1."""

    def __init__(self, weight: float) -> None:
        self._weight = weight
        self._teacher, self._student = math.log(weight), math.log1p(-weight)

    def dense(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        mixed = torch.logaddexp(teacher + self._teacher, student + self._student)
        probabilities = teacher.exp()
        ours = self._weight * torch.linalg.vecdot(probabilities, teacher.sub_(mixed))
        ratio = torch.sub(student, mixed, out=mixed)
        torch.exp(student, out=probabilities)
        theirs = torch.linalg.vecdot(probabilities, ratio)
        values = ours.add_(theirs, alpha=1 - self._weight)
        # dvalue/ds = (1 - b) log(s / m)
        return values, ratio.sub_(theirs[:, None]).mul_(probabilities).mul_(1 - self._weight)

    def sparse(self, student: Tensor, teacher: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
        raise needs_all("jsd")
