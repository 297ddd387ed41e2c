"""Small networks that tests export: named as functions, so that child processes build the same ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeshrink.core.network import TorchNetwork

WORDS, WIDTH, LONGEST = 50, 32, 40


class Pictures(nn.Module):
    """Convolutions with batch norm, a depthwise one, a residual sum, a pool and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.deep = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.wide = nn.Conv2d(16, 64, 3, padding=1)
        self.back = nn.Conv2d(64, 16, 3, padding=1)
        self.head = nn.Linear(16, 10)

    def forward(self, pixels: Tensor) -> Tensor:
        state = torch.relu(self.norm(self.first(pixels)))
        state = torch.relu(state + self.back(torch.relu(self.wide(self.deep(state)))))
        return self.head(state.mean(dim=(2, 3)))


class Encoder(nn.Module):
    """Ids to vectors: embeddings at positions counted from 2, a residual sum before a layer norm, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.places = nn.Embedding(LONGEST + 2, WIDTH)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.drop = nn.Dropout(0.1)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        places = torch.arange(ids.shape[1])[None] + 2
        state = self.drop(self.words(ids) + self.places(places))
        state = self.norm(state + self.drop(self.down(functional.gelu(self.up(state)))))
        return state, state.mean(dim=1)


class Choosing(nn.Module):
    """Its path depends on values, which no trace can follow."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 1 if x.sum() > 0 else x - 1


def pictures() -> TorchNetwork:
    torch.manual_seed(0)
    module = Pictures()
    module.norm.running_mean.uniform_(-0.2, 0.2)
    module.norm.running_var.uniform_(0.5, 2)
    return TorchNetwork(module.eval(), {"pixels": torch.randn(1, 3, 16, 16)}, outputs=("logits",))


def encoder() -> TorchNetwork:
    torch.manual_seed(0)
    example = {"ids": torch.randint(0, WORDS, (1, 7))}
    dynamic = {"ids": {1: "length"}}
    return TorchNetwork(
        Encoder().eval(), example, dynamic=dynamic, outputs=("state", "pooled"), limits={"length": (1, LONGEST)}
    )


def choosing() -> TorchNetwork:
    return TorchNetwork(Choosing().eval(), {"x": torch.ones(1, 2)})
