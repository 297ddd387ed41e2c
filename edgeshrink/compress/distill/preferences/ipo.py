"""Identity preference optimization: (h - 1 / (2 beta))^2, which ends at a gap instead of driving it on for ever.

Azar et al. 2023, "A General Theoretical Paradigm to Understand Learning from Human Preferences" (arXiv:2310.12036),
equation 17. h is taken a token of each answer, as the paper's own results were (its authors to those of TRL): the
square of a whole answer's would weigh long answers most.
"""

from __future__ import annotations

from torch import Tensor

from edgeshrink.compress.distill.preferences.interface import Ratios


def loss(ratios: Ratios, beta: float) -> Tensor:
    gap = ratios.chosen / ratios.chosen_tokens - ratios.rejected / ratios.rejected_tokens
    return (gap - 1 / (2 * beta)).square()
