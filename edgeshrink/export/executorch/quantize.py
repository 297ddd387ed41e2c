"""The decoder's matrices in the types of the plan, by torchao, before it is exported. Imports torch and torchao.

A linear layer of type i4g32 multiplies activations that are quantized to 8 bits while it runs (8da4w); its weights
are symmetric, one scale per 32 of a row. i8row is the same with 8 bits and one scale per row. The embedding table is
only looked up: its rows are dequantized one by one.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from executorch.exir.passes import _quant_patterns_and_replacements  # noqa: F401  (defines embedding_byte and _4bit)
from torch import Tensor, nn
from torchao.quantization import Int8DynamicActivationIntxWeightConfig, IntxWeightOnlyConfig, quantize_
from torchao.quantization.granularity import PerAxis, PerGroup

from edgeshrink.errors import PlanError
from edgeshrink.export.executorch.decoder import Decoder

_EMBEDDING = "token_embd.weight"
_PARTS = {
    "attention.q.low": "attn_q",
    "attention.q.high": "attn_q",
    "attention.k.low": "attn_k",
    "attention.k.high": "attn_k",
    "attention.v": "attn_v",
    "attention.o": "attn_output",
    "ffn.gate": "ffn_gate",
    "ffn.up": "ffn_up",
    "ffn.down": "ffn_down",
}


class ByteEmbedding(nn.Module):
    """An embedding table of int8 rows with a float32 scale each, or of packed int4 with a scale per group."""

    def __init__(self, codes: Tensor, scales: Tensor, *, bits: int) -> None:
        super().__init__()
        self.bits = bits
        self.register_buffer("codes", codes)
        self.register_buffer("scales", scales)

    def forward(self, tokens: Tensor) -> Tensor:
        operators = torch.ops.quantized_decomposed
        if self.bits == 8:
            return operators.embedding_byte.default(self.codes, self.scales, None, -128, 127, tokens)
        return operators.embedding_4bit.default(self.codes, self.scales, None, -8, 7, tokens)


def quantize_decoder(module: Decoder, types: Mapping[str, str], *, weight_only: bool = False) -> None:
    """Quantize in place. `types`: tensor of the plan -> its type; F32 stays. `weight_only`: activations stay float.

    PlanError for a type that is not known here.
    """
    linears = {
        f"layers.{n}.{part}": f"blk.{n}.{name}.weight"
        for n in range(len(module.layers))
        for part, name in _PARTS.items()
    }
    linears["head"] = "output.weight"
    wanted = {path: types.get(name, "F32") for path, name in linears.items()}
    embedding = types[_EMBEDDING]
    if embedding != "F32":
        codes, scales, bits = _table(module.embedding, embedding)
        module.embedding = ByteEmbedding(codes, scales, bits=bits)
    # F16 is what Core ML rounds to by itself.
    for type in sorted(set(wanted.values()) - {"F32", "F16"}):
        chosen = {path for path, found in wanted.items() if found == type}
        quantize_(module, _config(type, weight_only), filter_fn=lambda _, path, chosen=chosen: path in chosen)


def _config(type: str, weight_only: bool) -> IntxWeightOnlyConfig | Int8DynamicActivationIntxWeightConfig:
    bits, granularity = _parts(type)
    if weight_only:
        return IntxWeightOnlyConfig(weight_dtype=bits, granularity=granularity)
    # XNNPACK keeps group scales as bfloat16: rounded here already, what is exported is what will run.
    scales = torch.bfloat16 if isinstance(granularity, PerGroup) else None
    return Int8DynamicActivationIntxWeightConfig(
        weight_dtype=bits, weight_granularity=granularity, weight_scale_dtype=scales
    )


def _parts(type: str) -> tuple[torch.dtype, PerGroup | PerAxis]:
    if type == "i8row":
        return torch.int8, PerAxis(0)
    if type.startswith("i4g"):
        return torch.int4, PerGroup(int(type[3:].rstrip("f")))
    raise PlanError(f"ExecuTorch has no weights of type {type!r}")


def _table(embedding: nn.Embedding, type: str) -> tuple[Tensor, Tensor, int]:
    """Codes as the lookup operator wants them, scales (rows,) or (rows, groups), bits."""
    dtype, granularity = _parts(type)
    # Its own copy: a tied head keeps the float weights.
    copy = nn.Embedding.from_pretrained(embedding.weight.detach())
    quantize_(
        copy,
        IntxWeightOnlyConfig(weight_dtype=dtype, granularity=granularity),
        filter_fn=lambda m, _: isinstance(m, nn.Embedding),
    )
    codes, scales = copy.weight.qdata, copy.weight.scale.to(torch.float32)
    if dtype == torch.int8:
        return codes.contiguous(), scales.reshape(-1), 8
    shifted = (codes + 8).to(torch.uint8)
    return (shifted[:, ::2] << 4 | shifted[:, 1::2]).contiguous(), scales.contiguous(), 4
