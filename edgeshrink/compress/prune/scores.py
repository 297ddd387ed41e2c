"""What was found out about the parts of a model on calibration text, and its form on disk. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.json_files import read_json
from edgeshrink.core.shape import Shape
from edgeshrink.errors import DataError

ARRAYS_FILE: Final = "scores.safetensors"
FACTS_FILE: Final = "scores.json"
SCHEMA: Final = "edgeshrink-scores-1"
INPUTS: Final[dict[str, tuple[str, ...]]] = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "o": ("self_attn.o_proj",),
    "mlp": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}
"""Matrices of a block that read the same input, by the input's name."""

Floats = NDArray[np.float64]
_PLAIN = ("layers", "ffn", "groups", "hidden")


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of the parts of one model; higher: missed more. None or empty: its method was not asked.

    `layers` (L,): block influence. `order`: layers in the order in which measured-kl takes them out, `order_kl` the
    mean KL, nats a token, of the whole model against what is left after each. `ffn` (L, F), `groups` (L, key-value
    heads), `hidden` (H,). `inputs`: root mean squares of what enters the matrices, (L, width) for the names of INPUTS.
    `tokens` of the text that were read.
    """

    shape: Shape
    tokens: int
    text_sha256: str
    methods: tuple[str, ...]
    layers: Floats | None = None
    order: tuple[int, ...] = ()
    order_kl: tuple[float, ...] = ()
    ffn: Floats | None = None
    groups: Floats | None = None
    hidden: Floats | None = None
    inputs: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


def write_scores(folder: Path, scores: Scores) -> None:
    """Both files into `folder`; scores.json last, so that where it stands all is there."""
    from safetensors.numpy import save_file

    arrays: dict[str, NDArray[Any]] = {
        name: value for name in _PLAIN if (value := getattr(scores, name)) is not None
    } | {f"inputs.{name}": value for name, value in scores.inputs.items()}
    save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, folder / ARRAYS_FILE)
    facts = {
        "schema": SCHEMA,
        "shape": asdict(scores.shape),
        "tokens": scores.tokens,
        "text_sha256": scores.text_sha256,
        "methods": scores.methods,
        "order": scores.order,
        "order_kl": scores.order_kl,
    }
    (folder / FACTS_FILE).write_text(json.dumps(facts, indent=1), encoding="utf-8")


def read_scores(folder: Path) -> Scores:
    """DataError where `folder` holds no scores of this version."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    facts = read_json(folder / FACTS_FILE)
    if facts.get("schema") != SCHEMA:
        raise DataError(f"{folder / FACTS_FILE}: schema {facts.get('schema')!r}, expected {SCHEMA!r}")
    try:
        arrays = load_file(folder / ARRAYS_FILE)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{folder / ARRAYS_FILE} cannot be read: {error}") from error
    return Scores(
        shape=Shape(**facts["shape"]),
        tokens=int(facts["tokens"]),
        text_sha256=str(facts["text_sha256"]),
        methods=tuple(facts["methods"]),
        order=tuple(facts["order"]),
        order_kl=tuple(facts["order_kl"]),
        inputs={name: arrays[f"inputs.{name}"] for name in INPUTS if f"inputs.{name}" in arrays},
        **{name: arrays.get(name) for name in _PLAIN},
    )
