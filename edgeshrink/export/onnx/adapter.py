"""Adapters for ONNX Runtime: an .onnx_adapter file, and the places for its updates in a model's graph. The parent's
side: imports no onnxruntime.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from edgeshrink.core.adapter import Adapter
from edgeshrink.core.model import ModelFacts
from edgeshrink.errors import UnsupportedModel
from edgeshrink.planning.adapters import adapted_tensors
from edgeshrink.planning.layout import layout

JOB: Final = "edgeshrink.export.onnx.adapter_job:job"
A, B = ".lora_A", ".lora_B"
"""Of the names of a layer's two inputs: (in, rank) and (rank, out), the latter times the adapter's scale."""
_PACKED = ("q_proj", "k_proj", "v_proj")
Shape = tuple[int, int]
"""(out, in) of a linear layer, as transformers has it."""


def write_onnx_adapter(
    path: Path, facts: ModelFacts, adapter: Adapter, *, model: Path, log: Path | None = None
) -> None:
    """Write `adapter` to `path` for the graph `model` (model.onnx), in the type that its inputs have; atomically.

    DataError where it does not fit the base of `facts`; StepFailed where the graph has no place for one of its updates,
    since it was exported without `adapter_weights` that name them.
    """
    from edgeshrink.runtimes.child import run_job

    adapted_tensors(facts, adapter)
    run_job(JOB, {"adapter": str(adapter.folder), "model": str(model), "out": str(path)}, log=log)


def adapted_layers(facts: ModelFacts, weights: Collection[str]) -> dict[str, Shape]:
    """Layers and shapes that the graph gets places for, so that adapters can update `weights`. Queries, keys and values
    come together: the model builder packs them into one product. UnsupportedModel: the head is among them."""
    if not weights:
        return {}
    shapes = {
        plan.source.removesuffix(".weight"): (plan.shape[0], plan.shape[1])
        for plan in layout(facts)
        if len(plan.shape) == 2
    }
    named = dict.fromkeys(part for weight in weights for part in packed_with(weight.removesuffix(".weight")))
    outside = next((layer for layer in named if not layer.startswith("model.layers.")), None)
    if outside is not None:
        raise UnsupportedModel(
            f"an adapter updates {outside}, and an ONNX takes updates in the decoder's layers only",
            hint="train the adapter without it, or build --format gguf",
        )
    return {layer: shapes[layer] for layer in sorted(named)}


def packed_with(layer: str) -> tuple[str, ...]:
    """The layers that the builder may pack into one product with `layer`, itself among them, in its order."""
    parent, _, name = layer.rpartition(".")
    return tuple(f"{parent}.{part}" for part in _PACKED) if name in _PACKED else (layer,)
