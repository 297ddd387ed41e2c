"""An adapter's folder, as peft reads and writes it, with what it was trained on in the metadata of its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.adapters import BASE, BASE_NAME, LICENSE, PREFIX, SCHEME, A, B
from edgeshrink.compress.safetensors_file import write_arrays
from edgeshrink.core.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]
"""a (rank, in) and b (out, rank)."""


def write_adapter(
    out: Path,
    pairs: Mapping[str, Pair],
    *,
    rank: int,
    alpha: float,
    base: str,
    base_name: str,
    scheme: str | None,
    license: str | None,
) -> None:
    """Make the folder `out` of the updates `pairs`, by the names of their layers (model.layers.0.self_attn.q_proj)."""
    out.mkdir(parents=True, exist_ok=True)
    told = {BASE: base, BASE_NAME: base_name, SCHEME: scheme or "", LICENSE: license or ""}
    write_arrays(
        out / ADAPTER_WEIGHTS,
        {
            f"{PREFIX}{name}{half}": values.astype(np.float32, copy=False)
            for name, pair in pairs.items()
            for half, values in zip((A, B), pair, strict=True)
        },
        {"format": "pt", **{key: value for key, value in told.items() if value}},
    )
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_name,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "use_rslora": False,
        "target_modules": sorted({name.rpartition(".")[2] for name in pairs}),
    }
    (out / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
