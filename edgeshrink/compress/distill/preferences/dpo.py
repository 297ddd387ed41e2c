"""Direct preference optimization: -log sigmoid(beta h), h being how much more the student raised the chosen answer over
its reference than the rejected one.

Rafailov et al. 2023, "Direct Preference Optimization: Your Language Model is Secretly a Reward Model"
(arXiv:2305.18290), equation 7.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgeshrink.compress.distill.preferences.interface import Ratios


def loss(ratios: Ratios, beta: float) -> Tensor:
    return torch.nn.functional.softplus(-beta * (ratios.chosen - ratios.rejected))
