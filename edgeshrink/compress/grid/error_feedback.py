"""Where training begins: codes chosen one column after the other, each making up for the errors of those before.

Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", ICLR 2023
(arXiv:2210.17323): with H = X^T X of the rows X that a layer reads and the upper Cholesky factor U of H^-1, the error
of column j moves the columns that are still to be rounded by -(w_j - q_j) / U_jj * U_j. Columns are taken from the most
strongly driven to the least (its `act-order`). Scales stay those of the grid. Imports torch: for jobs only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.distill.models import decoder_layers, hidden_states
from edgeshrink.compress.grid.straight_through import ColumnRounding
from edgeshrink.compress.grid.tensor_grid import TensorGrid

TOKENS: Final = 16384
MOST_COLUMNS: Final = 8192
"""Of a matrix: its H and the factors of it are so long on each side, in double precision."""
_DAMPING: Final = 0.01
_BLOCK: Final = 64
_AT_ONCE: Final = 2048


def feed_back(student: Any, grids: Mapping[str, TensorGrid], corpus: Corpus) -> None:
    """Change the latent weights of `student`, whose grids are attached, so that what a layer answers on the corpus's
    first rows changes least by the rounding.

    Layer after layer, on what the rounded layers before it answer; the embedding and the head stay.
    """
    rows = min(corpus.rows, max(1, TOKENS // corpus.length))
    tokens, _ = corpus.batch(np.arange(rows), "train")
    names = {student.get_submodule(name.removesuffix(".weight")): grid for name, grid in grids.items()}
    for layer in decoder_layers(student):
        wanted = {
            module: names[module] for module in layer.modules() if isinstance(module, nn.Linear) and module in names
        }
        grams = _grams(student, layer, wanted, torch.from_numpy(tokens).long())
        for module, grid in wanted.items():
            latent = module.parametrizations.weight.original
            rounding = grid.column_rounding(latent.shape)
            if module in grams and rounding is not None:
                with torch.no_grad():
                    latent.copy_(compensated(latent, grams[module], rounding))


def compensated(weight: Tensor, gram: Tensor, rounding: ColumnRounding) -> Tensor:
    """`weight` (rows, columns), moved so that its nearest codes answer inputs of `gram` = X^T X (columns, columns)."""
    strength = gram.diagonal()
    order = torch.argsort(strength, descending=True, stable=True)
    factor = _inverse_factor(gram[order][:, order]).to(weight.dtype)
    left, found = weight[:, order].clone(), torch.empty_like(weight)
    count = weight.shape[1]
    for first in range(0, count, _BLOCK):
        last = min(count, first + _BLOCK)
        errors = torch.empty_like(left[:, first:last])
        for column in range(first, last):
            exact = left[:, column : column + 1]
            found[:, column : column + 1] = exact
            error = (exact - rounding(exact, order[column : column + 1])) / factor[column, column]
            errors[:, column - first : column - first + 1] = error
            left[:, column + 1 : last] -= error * factor[column, column + 1 : last]
        left[:, last:] -= errors @ factor[first:last, last:]
    return found[:, torch.argsort(order)]


def _inverse_factor(gram: Tensor) -> Tensor:
    """The upper Cholesky factor of the inverse of `gram`, damped by a share of its mean diagonal."""
    exact = gram.double()
    mean = exact.diagonal().mean().clamp(min=1e-30)
    exact = exact / mean + _DAMPING * torch.eye(len(exact), dtype=exact.dtype, device=exact.device)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(exact))
    return torch.linalg.cholesky(inverse, upper=True)


class _Enough(Exception):
    """What is looked at has been read."""


def _grams(student: Any, layer: Any, modules: Mapping[Any, TensorGrid], tokens: Tensor) -> dict[Any, Tensor]:
    """X^T X of what each of the `modules` of `layer` reads, over all rows of `tokens`."""
    grams: dict[Any, Tensor] = {}
    device = next(student.parameters()).device

    def add(module: Any, given: tuple[Tensor, ...]) -> None:
        read = given[0].detach().flatten(0, -2).float()
        if read.shape[1] <= MOST_COLUMNS:
            grams[module] = read.t() @ read + grams.get(module, 0.0)

    def stop(*_: Any) -> None:
        raise _Enough

    hooks = [module.register_forward_pre_hook(add) for module in modules]
    hooks.append(layer.register_forward_hook(stop))
    try:
        with torch.no_grad(), _evaluating(student):
            for rows in tokens.split(max(1, _AT_ONCE // tokens.shape[1])):
                try:
                    hidden_states(student, rows.to(device))
                except _Enough:
                    continue
    finally:
        for hook in hooks:
            hook.remove()
    return grams


@contextmanager
def _evaluating(student: Any) -> Iterator[None]:
    training = student.training
    student.eval()
    try:
        yield
    finally:
        student.train(training)
