"""Hugging Face folders as transformers' modules, to be trained or frozen as a teacher. Imports torch: for jobs only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from torch import Tensor, nn

from edgeshrink.errors import DataError, UnsupportedModel

_QUOTED = 3
_COMPUTED = "rotary_emb.inv_freq"  # old checkpoints carry it; it follows from config.json


def load_model(folder: Path, *, device: str = "cpu") -> Any:
    """The model in `folder` to be trained: all parameters float32, in train mode, no cache of keys and values.

    DataError where config.json or a weight is missing, is of another shape, or is no safetensors file. Code that a
    folder brings is never run.
    """
    with _quiet():
        try:
            model, found = transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=torch.float32,
                attn_implementation="sdpa",
                trust_remote_code=False,
                use_safetensors=True,
                local_files_only=True,
                ignore_mismatched_sizes=True,  # told below, with the names
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as problem:
            raise DataError(f"{folder} cannot be loaded: {_first_line(problem)}") from problem
    _refuse_gaps(folder, found)
    model.config.use_cache = False
    _parts(model)
    return model.train().to(device)


def load_frozen(folder: Path, *, mixed: bool | None = None, device: str = "cpu") -> Any:
    """The model in `folder` for its outputs alone: eval mode, no gradients.

    `mixed`: the linear layers of the decoder in bfloat16, which halves them and makes them fast where the device has
    such instructions; embeddings, norms and the residual stream stay float32, as under autocast. None: where it is
    fast.
    """
    model = load_model(folder, device=device).eval().requires_grad_(False)
    if mixed_precision(device) if mixed is None else mixed:
        for module in decoder_layers(model).modules():
            if isinstance(module, nn.Linear):
                module.to(torch.bfloat16)
    return model


def mixed_precision(device: str) -> bool:
    """Does the device multiply bfloat16 matrices faster than float32 ones, with float32 sums?"""
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capable = torch.cpu.get_capabilities()
    return bool(capable.get("avx512_bf16") or capable.get("amx_bf16") or capable.get("bf16"))


def hidden_states(model: Any, tokens: Tensor) -> Tensor:
    """What the head reads, after the last norm: (rows, length, hidden size) of int64 `tokens` (rows, length)."""
    with _autocast(model, tokens.device.type):
        states: Tensor = _parts(model)[0](input_ids=tokens, use_cache=False).last_hidden_state
    return states


def head_weight(model: Any) -> Tensor:
    """(vocabulary, hidden size): the embedding's own parameter where the two are tied."""
    weight: Tensor = _parts(model)[1].weight
    return weight


def decoder_layers(model: Any) -> Any:
    """The layers in order, as nn.ModuleList."""
    return _parts(model)[0].layers


def _parts(model: Any) -> tuple[Any, Any]:
    """The decoder without its head, and the head: a linear layer without bias."""
    decoder, head = getattr(model, "model", None), getattr(model, "lm_head", None)
    if decoder is None or not hasattr(decoder, "layers") or head is None or head.bias is not None:
        raise UnsupportedModel(f"{type(model).__name__} is no decoder with layers and a head without bias")
    return decoder, head


@contextlib.contextmanager
def _autocast(model: Any, kind: str) -> Iterator[None]:
    """For a mixed frozen model; for others whatever the caller has set stays."""
    half = next(module.weight.dtype for module in decoder_layers(model).modules() if isinstance(module, nn.Linear))
    with torch.autocast(kind, torch.bfloat16) if half == torch.bfloat16 else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """transformers draws bars and warns of what is checked here."""
    bars, level = transformers.utils.logging.is_progress_bar_enabled(), transformers.logging.get_verbosity()
    transformers.utils.logging.disable_progress_bar()
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    try:
        yield
    finally:
        transformers.logging.set_verbosity(level)
        if bars:
            transformers.utils.logging.enable_progress_bar()


def _refuse_gaps(folder: Path, found: dict[str, Any]) -> None:
    """transformers fills a weight that is missing with random numbers."""
    for key, words in (
        ("missing_keys", "has no"),
        ("mismatched_keys", "has another shape of"),
        ("unexpected_keys", "has, and its config.json knows nothing of,"),
    ):
        names = sorted(str(name[0] if isinstance(name, tuple) else name) for name in found.get(key) or ())
        names = [name for name in names if not name.endswith(_COMPUTED)]
        if names:
            more = f" and {len(names) - _QUOTED} more" if len(names) > _QUOTED else ""
            raise DataError(
                f"{folder} {words} {', '.join(names[:_QUOTED])}{more}",
                hint="fetch the model again; config.json and the weights must belong together",
            )


def _first_line(problem: Exception) -> str:
    return next(iter(str(problem).strip().splitlines()), type(problem).__name__)
