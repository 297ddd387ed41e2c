"""Activations rounded to 8 bits in front of a matrix product, as two runtimes do it. Imports torch: for jobs only.

Both are the runtime's own arithmetic: measured on one product, float sums of activations rounded so are ONNX Runtime's
result to 2e-7 and XNNPACK's to 5e-8, where float activations are off by 1e-2. The gradient goes straight through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

Rounding = Callable[[Tensor], Tensor]
_HEADS = ("lm_head.weight", "model.embed_tokens.weight")


def of_blocks(values: Tensor, block: int) -> Tensor:
    """Symmetric, a scale for each `block` of a row (the last one may be shorter): MLAS's QuantizeARow_CompInt8, which
    MatMulNBits of accuracy_level 4 computes with."""
    width = values.shape[-1]
    padded = torch.nn.functional.pad(values.float(), (0, -width % block)).unflatten(-1, (-1, block))
    scale = padded.abs().amax(-1, keepdim=True) / 127
    units = (padded * torch.where(scale > 0, 1 / scale, 0)).round()
    return (units * scale).flatten(-2)[..., :width]


def of_rows(values: Tensor) -> Tensor:
    """Asymmetric, a scale and a zero for each row, 0 among the values: XNNPACK's qd8."""
    values = values.float()
    least, most = values.amin(-1, keepdim=True).clamp(max=0), values.amax(-1, keepdim=True).clamp(min=0)
    scale = (most - least) / 255
    scale = torch.where(scale > 0, scale, 1)
    down, up = least / scale, most / scale
    zero = torch.where(down + up + 127 - 128 > 0, -128 - down, 127 - up).clamp(-128, 127).round()
    units = ((values / scale).round() + zero).clamp(-128, 127)
    return (units - zero) * scale


def round_before(student: Any, weights: Iterable[str], rounding: Rounding, *, head: bool) -> None:
    """Round what the linear layers with these `weights` read, for good; with `head` what the head reads too.

    That is the last norm's result: an objective may read it and leave the head out.
    """
    for name in weights:
        if name not in _HEADS:
            student.get_submodule(name.removesuffix(".weight")).register_forward_pre_hook(_before(rounding))
    if head:
        student.model.norm.register_forward_hook(_after(rounding))


def _before(rounding: Rounding) -> Callable[[Any, tuple[Tensor, ...]], tuple[Tensor, ...]]:
    return lambda _, given: (_straight(given[0], rounding), *given[1:])


def _after(rounding: Rounding) -> Callable[[Any, Any, Tensor], Tensor]:
    return lambda _, __, result: _straight(result, rounding)


def _straight(values: Tensor, rounding: Rounding) -> Tensor:
    with torch.autocast(values.device.type, enabled=False):
        rounded = rounding(values.detach()).to(values.dtype)
        return values + (rounded - values.detach()) if values.requires_grad else rounded
