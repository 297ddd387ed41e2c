"""What a divergence of two next-token distributions must give: its value and its gradient, without autograd.

Rows are tokens. A dense divergence sees all of both distributions. A sparse one sees the teacher at some ids alone: an
entry stands for the probability `mass` (its own for what was kept exactly, a share of the tail for a draw), and the
masses of a row add up to 1.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Divergence(Protocol):
    """`student` and `teacher` are finite log-probabilities of one dtype; a gradient is that of the student's logits."""

    def dense(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        """Values (rows,) and gradients (rows, vocabulary). May overwrite `teacher`, and answer in it; not `student`."""
        ...

    def sparse(self, student: Tensor, teacher: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
        """Values (rows,) and, for each entry, p * dvalue/dp, all (rows, entries) from the log-probabilities at the ids.

        Where p is the student's probability: with e for these, the gradient of logit v is the sum of e at v minus
        p_v times the sum of all e. PlanError where the divergence needs the whole teacher.
        """
        ...
