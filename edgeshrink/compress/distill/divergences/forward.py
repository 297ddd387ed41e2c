"""Forward KL divergence, KL(teacher || student): the student covers all that the teacher does.

Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015 (arXiv:1503.02531).
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgeshrink.compress.distill.divergences.interface import Divergence


class Forward(Divergence):
    """Sum of t (log t - log s). Gradient: s - t."""

    def dense(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        probabilities = teacher.exp()
        values = torch.linalg.vecdot(probabilities, teacher.sub_(student))
        return values, torch.exp(student, out=teacher).sub_(probabilities)

    def sparse(self, student: Tensor, teacher: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
        return (mass * (teacher - student)).sum(-1), -mass
