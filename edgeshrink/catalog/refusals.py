"""What edgeshrink does not build, found in config.json before any work: each with its reason and the nearest way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeshrink.core.architectures import ARCHITECTURES, Architecture
from edgeshrink.errors import UnsupportedModel

_UNQUANTIZED = (
    "start from the unquantized checkpoint that this one was made from; "
    "quantizing twice would add its errors to the new ones"
)
_CONVERTER = "llama.cpp's convert_hf_to_gguf.py knows more architectures; what edgeshrink builds today: {known}"
_MISTRAL_WINDOW = 4096  # transformers' default where config.json has no sliding_window


def refuse_unbuildable(file: Path, config: Mapping[str, Any]) -> Architecture:
    """The architecture's row, or UnsupportedModel."""
    row = _architecture(file, config)
    refuse_quantized(file, config)
    activation = config.get("hidden_act", "silu")
    if activation != "silu":
        raise UnsupportedModel(
            f"{file}: hidden_act {activation!r}: llama.cpp computes {row.gguf_name} with silu only",
            hint=_CONVERTER.format(known=_known()),
        )
    for key in row.unloadable:
        if config.get(key):
            raise UnsupportedModel(f"{file}: {key} is true, and llama.cpp has no such tensors in {row.gguf_name}")
    for key, value, default in row.fixed:
        if bool(config.get(key, default)) is not value:
            raise UnsupportedModel(
                f"{file}: {key} is {_json(not value)}, and llama.cpp computes {row.gguf_name} with {_json(value)} only"
            )
    if row.experts is not None:
        _refuse_dense_layers(file, config)
    return row


def _refuse_dense_layers(file: Path, config: Mapping[str, Any]) -> None:
    """UnsupportedModel where some layers of a mixture of experts have one plain feed-forward."""
    step, dense = config.get("decoder_sparse_step", 1), config.get("mlp_only_layers") or []
    if step != 1:
        raise UnsupportedModel(
            f"{file}: decoder_sparse_step is {step!r}: only every {step}th layer would have experts",
            hint="edgeshrink builds mixtures of experts whose every layer has them, as llama.cpp loads them",
        )
    if dense:
        raise UnsupportedModel(
            f"{file}: mlp_only_layers names {dense!r}: those layers would have no experts",
            hint="edgeshrink builds mixtures of experts whose every layer has them, as llama.cpp loads them",
        )


def _json(value: bool) -> str:
    return "true" if value else "false"


def window_notes(row: Architecture, config: Mapping[str, Any]) -> tuple[str, ...]:
    """A sentence where the source looks back a limited way and some formats' files look at all."""
    if row.model_type == "mistral":
        window = config.get("sliding_window", _MISTRAL_WINDOW)
    elif row.model_type == "mixtral":
        window = config.get("sliding_window")
    else:
        window = config.get("sliding_window") if config.get("use_sliding_window") else None
    length = config.get("max_position_embeddings")
    if not isinstance(window, int) or not isinstance(length, int) or window >= length:
        return ()
    return (
        f"the source attends to the last {window} tokens only (sliding_window); GGUF and ExecuTorch files "
        "attend to all of them, as llama.cpp's own converter has it (same as the source up to "
        f"{window} tokens of context); ONNX keeps the window",
    )


def _architecture(file: Path, config: Mapping[str, Any]) -> Architecture:
    model_type = config.get("model_type")
    classes = config.get("architectures") or []
    row = ARCHITECTURES.get(str(model_type))
    named = classes[0] if isinstance(classes, list) and classes else None
    if row is not None and (named is None or named in row.hf_classes):
        return row
    if row is not None:
        raise UnsupportedModel(
            f"{file}: the class is {named}, a {model_type} with another head or another body than "
            f"{' or '.join(row.hf_classes)}",
            hint=f"edgeshrink builds text generation models: {_known()}",
        )
    if config.get("auto_map"):
        raise UnsupportedModel(
            f"{file}: model_type {model_type!r} needs Python code from the checkpoint (auto_map); "
            "edgeshrink never runs code that comes with a model",
            hint=f"supported: {_known()}",
        )
    if model_type is None:
        raise UnsupportedModel(f"{file} has no model_type", hint=f"supported: {_known()}")
    raise UnsupportedModel(
        f"{file}: model_type {model_type!r} ({named or 'no class named'}) is not supported",
        hint=_CONVERTER.format(known=_known()),
    )


def refuse_quantized(file: Path, config: Mapping[str, Any]) -> None:
    """UnsupportedModel where the checkpoint is quantized already."""
    found = config.get("quantization_config") or config.get("quantization")
    if not found:
        return
    if not isinstance(found, Mapping):
        raise UnsupportedModel(f"{file}: the checkpoint is quantized ({found})", hint=_UNQUANTIZED)
    method = found.get("quant_method") or found.get("quant_algo")
    if method is None:
        method = "mlx" if {"group_size", "bits"} <= set(found) else "by an unnamed method"
    bits = found.get("bits") or found.get("w_bit") or (4 if found.get("load_in_4bit") else None)
    detail = f", {bits} bits" if bits else ""
    raise UnsupportedModel(f"{file}: the checkpoint is already quantized ({method}{detail})", hint=_UNQUANTIZED)


def _known() -> str:
    return ", ".join(ARCHITECTURES)
