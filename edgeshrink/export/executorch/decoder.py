"""The decoder that goes into a `.pte`: llama, mistral, qwen2 and qwen3 with a static KV cache. Imports torch.

RMSNorm (arXiv 1910.07467), rotary positions (arXiv 2104.09864), grouped-query attention (arXiv 2305.13245), SwiGLU
(arXiv 2002.05202). Three things are written for ExecuTorch rather than for eyes used to transformers:

- Queries and keys are projected in halves of a head, because a rotary turn works on halves and XNNPACK cannot slice a
  tensor whose length varies. Rows are only sorted, so quantization (by row, or by groups in a row) sees no difference.
- The mean of squares in a norm is a product with a constant row, which XNNPACK takes; `mean` it does not.
- Attention and cache are ExecuTorch's own operators (`llama::update_cache`, `llama::custom_sdpa`): they read the
  cache up to the position that is filled, not all of it.

So everything between two attentions is one piece of XNNPACK.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Shape:
    """What the module is built from; `biases` of q, k, v / of o / of the feed-forward."""

    layers: int
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    context: int
    eps: float
    qkv_bias: bool
    output_bias: bool
    ffn_bias: bool
    qk_norm: bool


class RowMean(nn.Module):
    """The mean over the last dimension, kept: a product with a constant row of 1/n."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("row", torch.full((1, width), 1.0 / width, device="cpu"), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.row)


class PlainMean(nn.Module):
    """The same as `mean`, for delegates that take it."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(-1, keepdim=True)


class Norm(nn.Module):
    """RMSNorm over the last dimension."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))
        self.mean = RowMean(width)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(self.mean(x * x) + self.eps) * self.weight


class HeadNorm(nn.Module):
    """RMSNorm over a head that comes in two halves (qwen3)."""

    def __init__(self, head_dim: int, eps: float) -> None:
        super().__init__()
        self.low = nn.Parameter(torch.empty(head_dim // 2))
        self.high = nn.Parameter(torch.empty(head_dim // 2))
        self.mean = RowMean(head_dim // 2)
        self.eps = eps

    def forward(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        scale = torch.rsqrt((self.mean(low * low) + self.mean(high * high)) * 0.5 + self.eps)
        return low * scale * self.low, high * scale * self.high


class TurnedHeads(nn.Module):
    """Queries or keys: (1, T, hidden) -> (1, T, heads, head_dim), normed where the model does, turned by position."""

    def __init__(self, shape: Shape, heads: int) -> None:
        super().__init__()
        self.half = shape.head_dim // 2
        self.heads = heads
        self.low = nn.Linear(shape.hidden, heads * self.half, bias=shape.qkv_bias)
        self.high = nn.Linear(shape.hidden, heads * self.half, bias=shape.qkv_bias)
        self.norm = HeadNorm(shape.head_dim, shape.eps) if shape.qk_norm else None

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        low = self.low(x).view(1, -1, self.heads, self.half)
        high = self.high(x).view(1, -1, self.heads, self.half)
        if self.norm is not None:
            low, high = self.norm(low, high)
        return torch.cat((low * cosines - high * sines, high * cosines + low * sines), dim=-1)


class Attention(nn.Module):
    """Grouped-query attention over a static cache (1, context, kv_heads, head_dim), float32."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.kv_heads, self.head_dim = shape.kv_heads, shape.head_dim
        self.q = TurnedHeads(shape, shape.heads)
        self.k = TurnedHeads(shape, shape.kv_heads)
        self.v = nn.Linear(shape.hidden, shape.kv_heads * shape.head_dim, bias=shape.qkv_bias)
        self.o = nn.Linear(shape.heads * shape.head_dim, shape.hidden, bias=shape.output_bias)
        cache = (1, shape.context, shape.kv_heads, shape.head_dim)
        self.register_buffer("keys", torch.zeros(cache, device="cpu"), persistent=False)
        self.register_buffer("values", torch.zeros(cache, device="cpu"), persistent=False)

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor, start: int) -> Tensor:
        q = self.q(x, cosines, sines)
        k = self.k(x, cosines, sines)
        v = self.v(x).view(1, -1, self.kv_heads, self.head_dim)
        torch.ops.llama.update_cache(k, self.keys, start)
        torch.ops.llama.update_cache(v, self.values, start)
        mixed = torch.ops.llama.custom_sdpa(q, self.keys, self.values, start, None, 0.0, True)
        return self.o(mixed.flatten(2))


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate = nn.Linear(shape.hidden, shape.ffn, bias=shape.ffn_bias)
        self.up = nn.Linear(shape.hidden, shape.ffn, bias=shape.ffn_bias)
        self.down = nn.Linear(shape.ffn, shape.hidden, bias=shape.ffn_bias)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.gate(x)
        return self.down(gate * torch.sigmoid(gate) * self.up(x))


class Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention_norm = Norm(shape.hidden, shape.eps)
        self.attention = Attention(shape)
        self.ffn_norm = Norm(shape.hidden, shape.eps)
        self.ffn = FeedForward(shape)

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor, start: int) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cosines, sines, start)
        return x + self.ffn(self.ffn_norm(x))


class TableHead(nn.Module):
    """Logits from the embedding table itself, (1, hidden) -> (1, vocabulary).

    Written as a plain product, which a partitioner may leave out: a linear layer that it was asked to keep whole must
    be taken. The runtime's kernels for the two are equally fast.
    """

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        self.table = table

    def forward(self, x: Tensor) -> Tensor:
        return torch.mm(self.table.weight, x.view(-1, 1)).view(1, -1)


class Decoder(nn.Module):
    """tokens int64 (1, T), input_pos int64 (1,) -> logits float32 (1, vocabulary) of the last of them."""

    def __init__(self, shape: Shape, cosines: Tensor, sines: Tensor) -> None:
        """`cosines` and `sines`: (context, head_dim / 2)."""
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.hidden, shape.eps)
        self.head = nn.Linear(shape.hidden, shape.vocabulary, bias=False)
        self.register_buffer("cosines", cosines.unsqueeze(1), persistent=False)
        self.register_buffer("sines", sines.unsqueeze(1), persistent=False)

    def forward(self, tokens: Tensor, input_pos: Tensor) -> Tensor:
        start, length = input_pos[0].item(), tokens.shape[1]
        torch._check(start >= 0)
        torch._check(start + length <= self.shape.context)
        cosines = self.cosines.narrow(0, start, length)
        sines = self.sines.narrow(0, start, length)
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, cosines, sines, start)
        return self.head(self.norm(x[:, -1]))

    def share_table(self) -> bool:
        """Let a float table that is the head too stand in the file once; whether there is one."""
        shared = getattr(self.embedding, "weight", None) is self.head.weight
        if shared:
            self.head = TableHead(self.embedding)
        return shared

    def use_plain_means(self) -> None:
        """For delegates other than XNNPACK."""
        for module in self.modules():
            if isinstance(module, Norm | HeadNorm):
                module.mean = PlainMean()
