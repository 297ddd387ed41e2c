"""Functions that return a network, as a person would write them."""

from __future__ import annotations

import textwrap
from pathlib import Path

from edgeshrink.catalog.networks import network_source
from edgeshrink.core.network import NetworkSource

HEADER = """
import torch
from edgeshrink.core.network import TorchNetwork


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 2)
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, x, scale=None, flag=False):
        out = self.drop(self.linear(x))
        return out if scale is None else (out, out * scale)


X = torch.ones(1, 4, 3)
"""


_count = 0


def written(folder: Path, body: str) -> NetworkSource:
    """A module with HEADER and `body` in `folder`, which is the current folder; its function is `make`."""
    global _count
    _count += 1
    name = f"nets_{_count}"
    (folder / f"{name}.py").write_text(HEADER + textwrap.dedent(body), encoding="utf-8")
    source = network_source(f"{name}:make")
    assert source is not None
    return source


def source_of(folder: Path) -> NetworkSource:
    source = network_source(str(folder))
    assert source is not None
    return source
