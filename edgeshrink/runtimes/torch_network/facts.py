"""The facts of a torch module; a child's job."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeshrink.catalog.networks import source_from_json
from edgeshrink.core.network import NetworkFacts, NetworkSource
from edgeshrink.runtimes.network_facts import facts_to_json
from edgeshrink.runtimes.torch_network.imported_code import imported_packages
from edgeshrink.runtimes.torch_network.loading import load
from edgeshrink.runtimes.torch_network.network import LoadedNetwork

_TYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64"}
_MAKES = re.compile(r"^(make|build|create|get|load)_?")


def facts_job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """See edgeshrink.runtimes.network_facts."""
    source = source_from_json(parameters["source"])
    emit({"stage": "loading"})
    return facts_to_json(facts_of(load(source)))


def facts_of(network: LoadedNetwork) -> NetworkFacts:
    """The facts of a loaded module."""
    parameters = list(network.module.parameters())
    weights: Counter[str] = Counter()
    for tensor in parameters:
        weights[str(tensor.dtype).removeprefix("torch.")] += tensor.numel()
    kind = weights.most_common(1)[0][0] if weights else "float32"
    notes = network.notes
    if network.source.kind == "huggingface":
        stored = _stored_type(network.files)
        if stored != "F32":
            notes += (f"the checkpoint is {stored}; it is computed and built in float32",)
    return NetworkFacts(
        source=network.source,
        name=_name(network.source),
        family=network.family,
        inputs=network.ports,
        outputs=network.outputs,
        parameters=sum(tensor.numel() for tensor in parameters),
        weight_elements=sum(tensor.numel() for tensor in parameters if tensor.dim() >= 2),
        dtype=_TYPES.get(kind, kind),
        scores=network.scorer is not None,
        files=network.files,
        notes=notes,
        weights_sha256=_digest(network.module),
        limits=tuple((name, low, high) for name, (low, high) in network.limits.items()),
        labels=network.labels,
        packages=imported_packages() if network.source.kind == "function" else (),
    )


def _name(source: NetworkSource) -> str:
    if source.kind == "function":
        module, _, function = source.entry.partition(":")
        name = _MAKES.sub("", function)
        return module.rpartition(".")[2] if name in ("", "model", "network", "net") else name
    return (source.hub_id or source.path.name).rpartition("/")[2]


def _digest(module: Any) -> str:
    """sha256 over the names, types, shapes and values of all parameters and buffers, those that a checkpoint leaves
    out too."""
    import torch

    digest = hashlib.sha256()
    tensors = dict(module.named_parameters(remove_duplicate=False))
    tensors |= dict(module.named_buffers(remove_duplicate=False))
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _stored_type(files: tuple[Path, ...]) -> str:
    """The type that most elements have in the safetensors files."""
    import math

    from safetensors import safe_open

    counts: Counter[str] = Counter()
    for file in files:
        if file.suffix == ".safetensors":
            with safe_open(str(file), framework="numpy") as handle:
                for name in handle.keys():  # noqa: SIM118
                    view = handle.get_slice(name)
                    counts[view.get_dtype()] += math.prod(view.get_shape())
    return counts.most_common(1)[0][0] if counts else "F32"
