"""ResNet-20 for CIFAR-10 (He et al. 2015, arXiv:1512.03385, section 4.2), with real weights from the shared data.

Three stages of three blocks of two 3x3 convolutions, 16, 32 and 64 channels wide; the shortcut between stages takes
every second pixel and fills the new channels with zeros (option A); global average; one linear layer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from edgeshrink.core.network import TorchNetwork

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# ImageNet's, as the weights' authors trained with.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


class Block(nn.Module):
    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride = stride
        self.more = channels - before

    def forward(self, state: Tensor) -> Tensor:
        out = torch.relu(self.bn1(self.conv1(state)))
        out = self.bn2(self.conv2(out))
        if self.more:
            half = self.more // 2
            state = functional.pad(state[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.more - half))
        return torch.relu(out + state)


class ResNet20(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(Block(16, 16, 1), Block(16, 16, 1), Block(16, 16, 1))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.linear = nn.Linear(64, 10)

    def forward(self, pixel_values: Tensor) -> Tensor:
        state = torch.relu(self.bn1(self.conv1(pixel_values)))
        state = self.layer3(self.layer2(self.layer1(state)))
        return self.linear(state.mean(dim=(2, 3)))


def preprocess(image: Any) -> NDArray[np.float32]:
    """A 32x32 picture as float32 (3, 32, 32)."""
    pixels = np.asarray(image.convert("RGB").resize((32, 32)), dtype=np.float32) / np.float32(255)
    normal = (pixels - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1))


def top1(outputs: Mapping[str, Any], label: int | None) -> float:
    """1 where the largest logit is the label's."""
    return float(int(np.argmax(outputs["logits"])) == label)


def make_model() -> TorchNetwork:
    shared = Path(os.environ.get("EDGESHRINK_SHARED_DATA", _SHARED))
    module = ResNet20()
    module.load_state_dict(load_file(shared / "vision" / "cifar10-resnet20.safetensors"), strict=False)
    example = torch.randn((1, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    return TorchNetwork(
        module.eval(), {"pixel_values": example}, outputs=("logits",), preprocess=preprocess, scorer=top1
    )
