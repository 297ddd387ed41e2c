"""Adapters on disk: peft's folders (adapter_config.json, adapter_model.safetensors) and GGUF's adapter files.

Only plain low-rank updates of linear layers are read (Hu et al. 2021, arXiv:2106.09685, and rank-stabilized ones,
Kalajdzievski 2023, arXiv:2312.03732): what else a folder asks for is refused by name, since an update that is left out
gives another model. What edgeshrink says of an adapter's base stands in the metadata of the weights, so that they
cannot be parted and peft finds nothing in its file that it does not know.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgeshrink.catalog.gguf_header import GgufHeader, read_gguf_header
from edgeshrink.catalog.huggingface import model_license
from edgeshrink.catalog.json_files import read_json
from edgeshrink.catalog.safetensors_headers import read_header
from edgeshrink.core.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS, GGUF_A, Adapter, LowRank
from edgeshrink.core.model import SourceTensor
from edgeshrink.core.plain import plain
from edgeshrink.errors import DataError, UnsupportedModel

BASE: Final = "edgeshrink.adapter.base"
BASE_NAME: Final = "edgeshrink.adapter.base_name"
SCHEME: Final = "edgeshrink.adapter.scheme"
LICENSE: Final = "edgeshrink.adapter.license"
"""Keys of the safetensors' metadata, and but for the licence of a GGUF adapter's header."""
GGUF_LICENSE: Final = "general.license"
PREFIX: Final = "base_model.model."
A, B = ".lora_A.weight", ".lora_B.weight"

_PICKLE = "adapter_model.bin"
_MERGE = "merge it into its base with peft (merge_and_unload, save_pretrained) and build the merged folder"
_PLAIN = frozenset(
    {
        "auto_mapping",
        "base_model_name_or_path",
        "exclude_modules",
        "inference_mode",
        "layers_pattern",
        "layers_to_transform",
        "lora_alpha",
        "lora_dropout",
        "megatron_core",
        "peft_type",
        "peft_version",
        "qalora_group_size",
        "r",
        "revision",
        "target_modules",
        "task_type",
        "use_rslora",
    }
)
"""Keys whose value changes nothing here: the weights themselves say which layers they update."""
_HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "bias": ("none",),
    "init_lora_weights": (True, "gaussian", "orthogonal", "eva"),
}
_WORDS: Mapping[str, str] = {
    "use_dora": "DoRA, which scales every row of a weight anew",
    "modules_to_save": "whole modules beside the updates",
    "bias": "trained biases",
    "lora_bias": "updates with biases",
    "trainable_token_indices": "trained tokens of the vocabulary",
    "fan_in_fan_out": "transposed weights",
    "rank_pattern": "a rank of their own for some layers",
    "alpha_pattern": "an alpha of their own for some layers",
    "target_parameters": "updates of parameters that are no linear layers",
    "layer_replication": "layers that stand twice",
    "init_lora_weights": "a start that changed the base's own weights",
}


def is_adapter(folder: Path) -> bool:
    """Does `folder` hold an adapter instead of a model?"""
    return (folder / ADAPTER_CONFIG).is_file()


def read_adapter(folder: Path) -> Adapter:
    """The adapter in `folder`. No weight is read. DataError: it is not whole, or no adapter; UnsupportedModel: it is
    more than low-rank updates of linear layers, or a pickle."""
    file = folder / ADAPTER_CONFIG
    if not file.is_file():
        raise DataError(
            f"{folder} is no adapter: it has no {ADAPTER_CONFIG}",
            hint="give a folder that `edgeshrink distill --lora-rank` or peft's save_pretrained wrote",
        )
    config = read_json(file)
    _refuse_more(file, config)
    rank, alpha = _positive(file, config, "r"), _positive(file, config, "lora_alpha")
    if rank != int(rank):
        raise DataError(f"{file}: r is {rank}, expected a whole number")
    weights = _weights(folder)
    updates = _updates(weights, int(rank))
    told = _metadata(weights)
    return Adapter(
        folder=folder,
        name=folder.resolve().name,
        base=told.get(BASE, ""),
        base_name=told.get(BASE_NAME) or plain(str(config.get("base_model_name_or_path") or "")),
        scheme=told.get(SCHEME) or None,
        rank=int(rank),
        alpha=alpha * math.sqrt(rank) if config.get("use_rslora") else alpha,
        targets=_targets(update.weight for update in updates),
        parameters=sum(math.prod(part.shape) for update in updates for part in (update.a, update.b)),
        license=told.get(LICENSE) or model_license(folder / "README.md"),
        updates=updates,
    )


def read_gguf_adapter(file: Path) -> Adapter:
    """What the header of a GGUF adapter says; its `updates` are (), its targets GGUF's names. DataError: it is a GGUF
    of another kind, or not whole."""
    header = read_gguf_header(file)
    kinds = [_text(header, key) for key in ("general.type", "adapter.type")]
    if kinds != ["adapter", "lora"]:
        found = kinds[0] if kinds[0] != "adapter" else kinds[1]
        raise DataError(
            f"{file} is no GGUF of a low-rank adapter: it says {found or 'nothing'}",
            hint="give an adapter's folder, or a file that a build wrote to OUT/adapters",
        )
    parts = {tensor.name: tensor for tensor in header.tensors}
    ranks = {tensor.shape[0] for tensor in header.tensors if tensor.name.endswith(GGUF_A)}
    if not ranks:
        raise DataError(f"{file} holds no updates", hint="convert the adapter again")
    alpha, rank = header.value("adapter.lora.alpha"), max(ranks)
    return Adapter(
        folder=file,
        name=_text(header, "general.name") or file.stem,
        base=_text(header, BASE),
        base_name=_text(header, BASE_NAME),
        scheme=_text(header, SCHEME) or None,
        rank=rank,
        alpha=float(alpha) if isinstance(alpha, float | int) and alpha else float(rank),
        targets=_targets(name.removesuffix(GGUF_A) for name in parts if name.endswith(GGUF_A)),
        parameters=sum(math.prod(tensor.shape) for tensor in header.tensors),
        license=_text(header, GGUF_LICENSE) or None,
    )


def _text(header: GgufHeader, key: str) -> str:
    value = header.value(key)
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return plain(text) if isinstance(text, str) else ""


def _refuse_more(file: Path, config: Mapping[str, Any]) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        raise UnsupportedModel(f"{file}: an adapter of kind {kind!r}; low-rank ones (LORA) are read", hint=_MERGE)
    for key, value in config.items():
        if key in _PLAIN or not value or value in _HARMLESS.get(key, ()):
            continue
        words = _WORDS.get(key, f"{key} = {value!r}")
        raise UnsupportedModel(f"{file}: the adapter has {words} ({key}), which no runtime here takes", hint=_MERGE)


def _positive(file: Path, config: Mapping[str, Any], key: str) -> float:
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise DataError(f"{file}: {key} is {value!r}, expected a number above 0", hint="save the adapter again")
    return float(value)


def _weights(folder: Path) -> Path:
    file = folder / ADAPTER_WEIGHTS
    if file.is_file():
        return file
    if (folder / _PICKLE).is_file():
        raise UnsupportedModel(
            f"{folder} holds its updates as {_PICKLE}: a pickle can run code when it is read, so edgeshrink never "
            "opens one",
            hint=f"get the adapter as {ADAPTER_WEIGHTS}, or save it again with peft from a source you trust",
        )
    raise DataError(f"{folder} has no {ADAPTER_WEIGHTS}", hint="fetch the adapter again")


@dataclass(slots=True)
class _Pair:
    a: SourceTensor | None = None
    b: SourceTensor | None = None


def _updates(file: Path, rank: int) -> tuple[LowRank, ...]:
    pairs: dict[str, _Pair] = {}
    for tensor in read_header(file):
        module = tensor.name.removeprefix(PREFIX)
        if tensor.name.startswith(PREFIX) and module.endswith(A):
            pairs.setdefault(module.removesuffix(A), _Pair()).a = tensor
        elif tensor.name.startswith(PREFIX) and module.endswith(B):
            pairs.setdefault(module.removesuffix(B), _Pair()).b = tensor
        else:
            raise UnsupportedModel(
                f"{file}: {tensor.name} is no low-rank update of a linear layer, and leaving it out would give another "
                "model",
                hint=_MERGE,
            )
    updates = []
    for module, pair in pairs.items():
        if pair.a is None or pair.b is None:
            raise DataError(f"{file}: {module} has only one half of its update", hint="fetch the adapter again")
        if len(pair.a.shape) != 2 or len(pair.b.shape) != 2 or {pair.a.shape[0], pair.b.shape[1]} != {rank}:
            raise DataError(
                f"{file}: the update of {module} is {list(pair.b.shape)} times {list(pair.a.shape)}, which is not of "
                f"rank {rank}",
                hint=f"{ADAPTER_CONFIG} and the weights must belong together: fetch the adapter again",
            )
        updates.append(LowRank(f"{module}.weight", pair.a, pair.b))
    if not updates:
        raise DataError(f"{file} holds no updates", hint="fetch the adapter again")
    return tuple(updates)


def _targets(weights: Any) -> tuple[str, ...]:
    return tuple(sorted({str(name).removesuffix(".weight").rpartition(".")[2] for name in weights}))


def _metadata(file: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(str(file), framework="numpy") as handle:
        return {key: plain(value) for key, value in (handle.metadata() or {}).items()}
