"""Rotary positions in config.json: transformers 5 writes `rope_parameters`, 4 `rope_theta` and `rope_scaling`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeshrink.catalog.fields import Fields
from edgeshrink.errors import UnsupportedModel

DEFAULT_THETA = 10000.0
_NEEDS = {
    "linear": ("factor",),
    "dynamic": ("factor",),
    "yarn": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
}
_YARN_BETAS = {"beta_fast": 32.0, "beta_slow": 1.0}  # llama.cpp has keys for them, and reads them for other models


@dataclass(frozen=True, slots=True)
class Rotary:
    """`scaling` is None for plain rotary positions, else `rope_type` and its numbers."""

    theta: float
    scaling: Mapping[str, Any] | None
    notes: tuple[str, ...] = ()


def read_rotary(fields: Fields) -> Rotary:
    """The settings, or UnsupportedModel where llama.cpp cannot turn positions that way."""
    given = fields.config.get("rope_parameters") or fields.config.get("rope_scaling") or {}
    inner = Fields(fields.file, given, prefix="rope_parameters.") if isinstance(given, Mapping) else None
    if inner is None:
        raise fields.wrong("rope_parameters", "an object", given)
    if "full_attention" in given or "sliding_attention" in given:
        raise UnsupportedModel(
            f"{fields.file}: rope_parameters differ between layer types, which llama, mistral, qwen2 and qwen3 never do"
        )
    theta = inner.number("rope_theta", default=fields.number("rope_theta", default=DEFAULT_THETA))
    if inner.number("partial_rotary_factor", default=fields.number("partial_rotary_factor", default=1.0)) != 1.0:
        raise UnsupportedModel(
            f"{fields.file}: partial_rotary_factor other than 1: llama.cpp turns whole heads in this architecture"
        )
    kind = str(given.get("rope_type", given.get("type", "default"))).lower()
    if kind == "default":
        return Rotary(theta, None)
    if kind not in _NEEDS:
        raise UnsupportedModel(
            f"{fields.file}: rope_type {kind!r} is not supported (supported: default, {', '.join(_NEEDS)})",
            hint="llama.cpp's convert_hf_to_gguf.py may know it; edgeshrink takes the unquantized GGUF that it writes",
        )
    numbers = {key: inner.number(key) for key in _NEEDS[kind]}
    if kind == "yarn":
        return _yarn(fields, inner, theta, numbers)
    if kind == "dynamic":
        length = fields.whole("max_position_embeddings")
        note = f"rope_type dynamic changes positions beyond {length} tokens only; the built file stops at {length}"
        return Rotary(theta, None, (note,))
    return Rotary(theta, {"rope_type": kind, **numbers})


def _yarn(fields: Fields, inner: Fields, theta: float, numbers: dict[str, float]) -> Rotary:
    given = inner.config
    for key in ("mscale", "mscale_all_dim"):
        if given.get(key):
            raise UnsupportedModel(f"{fields.file}: rope_parameters.{key} is not supported with yarn")
    if given.get("truncate") is False:
        raise UnsupportedModel(f"{fields.file}: yarn with truncate false: llama.cpp always rounds the range")
    original = inner.number(
        "original_max_position_embeddings",
        default=fields.number("original_max_position_embeddings", default=fields.number("max_position_embeddings")),
    )
    for key, fixed in _YARN_BETAS.items():
        if inner.number(key, default=fixed) != fixed:
            raise UnsupportedModel(
                f"{fields.file}: yarn's {key} is {given[key]}; llama.cpp computes these models with {fixed:g} only"
            )
    scaling = {"rope_type": "yarn", **numbers, "original_max_position_embeddings": original}
    if given.get("attention_factor") is not None:
        scaling["attention_factor"] = inner.number("attention_factor")
    return Rotary(theta, scaling)
