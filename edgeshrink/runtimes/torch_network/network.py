"""A torch module that is ready to be run or exported, with all that its exporters ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeshrink.core.network import NetworkSource, Port

Scorer = Callable[[Mapping[str, Any], int | None], float]


@dataclass(frozen=True)
class LoadedNetwork:
    """`module` is a torch.nn.Module in eval mode that takes `inputs` in their order, positionally or by name, and
    returns a tensor or a flat tuple of tensors: those of `outputs`.

    `inputs` are example tensors; a dynamic dimension of them is at least 2 (torch.export takes 0 and 1 for fixed).
    `dynamic` names the dimensions that vary: {"input_ids": {1: "sequence"}}; one name is one size. `limits` holds
    each name's smallest and largest size. `files` decide what was loaded; `labels` name a classifier's outputs.
    """

    source: NetworkSource
    module: Any
    inputs: dict[str, Any]
    dynamic: dict[str, dict[int, str]]
    limits: dict[str, tuple[int, int]]
    ports: tuple[Port, ...]
    outputs: tuple[Port, ...]
    preprocess: Callable[[Any], Any] | None
    scorer: Scorer | None
    family: str
    files: tuple[Path, ...]
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The example tensors, positionally."""
        return tuple(self.inputs.values())

    def dynamic_shapes(self) -> tuple[dict[int, Any], ...] | None:
        """What torch.export takes beside `arguments`: one torch.export.Dim a name; None where nothing varies."""
        from torch.export import Dim

        if not self.limits:
            return None
        dims = {name: Dim(name, min=low, max=high) for name, (low, high) in self.limits.items()}
        return tuple(
            {index: dims[called] for index, called in self.dynamic.get(name, {}).items()} for name in self.inputs
        )

    def sized(self, sizes: Mapping[str, int]) -> dict[str, Any]:
        """The example inputs with dynamic dimensions of these sizes, cut or repeated."""
        import torch

        resized = {}
        for name, tensor in self.inputs.items():
            for index, called in self.dynamic.get(name, {}).items():
                if called in sizes:
                    rows = torch.arange(sizes[called]) % tensor.shape[index]
                    tensor = tensor.index_select(index, rows)
            resized[name] = tensor
        return resized
