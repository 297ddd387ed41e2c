"""How far hidden states of a student are from those of its teacher, after a learned projection where widths differ.

The states of mapped layers as hints: Romero et al. 2014, "FitNets: Hints for Thin Deep Nets" (arXiv:1412.6550). The
distance of two states is 1 - cos of the angle between them, which is half the mean squared difference of both divided
by their root mean square: what the next layer sees of them, since each begins with such a norm. A plain squared
difference would be about the few huge components that decoders keep in their residual stream, at the first token most.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_RIDGE = 1e-6
_ROWS = 8192


def state_distance(student: Tensor, teacher: Tensor, weights: Tensor) -> Tensor:
    """Sum of weight * (1 - cos): states (rows, length, width) each, weights (rows, length). In float32 at least."""
    precise = torch.float64 if student.dtype == torch.float64 else torch.float32
    cosine = nn.functional.cosine_similarity(student.to(precise), teacher.to(precise), dim=-1)
    return (weights * (1 - cosine)).sum()


def fitted_projection(student: Any, teacher: Any) -> nn.Linear:
    """A projection (student's width -> teacher's) that starts as the best linear map between the embeddings of both.

    Least squares over the tokens that both have. Of a student that was cut out of the teacher this finds which channels
    were kept; of any other it is a start at the right scale and in a basis that means something.
    """
    own, other = (model.get_input_embeddings().weight.detach() for model in (student, teacher))
    shared = min(own.shape[0], other.shape[0])
    width, wanted = own.shape[1], other.shape[1]
    gram = own.new_zeros(width, width, dtype=torch.float64)
    cross = own.new_zeros(width, wanted, dtype=torch.float64)
    for start in range(0, shared, _ROWS):
        block = own[start : min(start + _ROWS, shared)].double()
        gram += block.T @ block
        cross += block.T @ other[start : min(start + _ROWS, shared)].to(block)
    gram.diagonal().add_(_RIDGE * float(gram.diagonal().mean()) + torch.finfo(torch.float32).tiny)
    projection = nn.Linear(width, wanted, bias=False, device=own.device, dtype=torch.float32)
    with torch.no_grad():
        projection.weight.copy_(torch.linalg.solve(gram, cross).T)
    return projection
