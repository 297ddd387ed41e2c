"""AdamW without decay, for embeddings and norms (Loshchilov and Hutter 2017, arXiv:1711.05101)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Adam:
    """The step number is given by the caller, so the state is two tensors a parameter and nothing else."""

    def __init__(self, parameters: Iterable[tuple[str, nn.Parameter]], beta1: float, beta2: float) -> None:
        self.parameters = dict(parameters)
        self.beta1, self.beta2 = beta1, beta2
        self.mean: dict[str, Tensor] = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
        self.square: dict[str, Tensor] = {name: torch.zeros_like(p) for name, p in self.parameters.items()}

    @torch.no_grad()
    def step(self, rate: float, number: int) -> None:
        """`number` counts from one."""
        for name, parameter in self.parameters.items():
            gradient = parameter.grad
            assert gradient is not None, name
            mean, square = self.mean[name], self.square[name]
            mean.lerp_(gradient, 1 - self.beta1)
            square.lerp_(gradient.square(), 1 - self.beta2)
            scale = (square / (1 - self.beta2**number)).sqrt().add_(1e-8)
            parameter.sub_(mean / scale, alpha=rate / (1 - self.beta1**number))
