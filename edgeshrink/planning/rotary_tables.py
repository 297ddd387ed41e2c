"""Rotary position tables as transformers computes them, in numpy.

RoFormer (arXiv 2104.09864); linear: arXiv 2306.15595; YaRN: arXiv 2309.00071; llama3: the Llama 3.1 model code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.importance import Floats

Doubles = NDArray[np.float64]


def rotary_tables(
    positions: int, head_dim: int, theta: float, scaling: Mapping[str, Any] | None, factors: Floats | None = None
) -> tuple[Floats, Floats]:
    """Cosines and sines, each (positions, head_dim / 2). `factors` divide the frequencies (GGUF's `rope_freqs`).

    ValueError for a scaling that is not known here.
    """
    frequencies = theta ** (-np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    scale = 1.0
    if factors is not None:
        frequencies = frequencies / factors.astype(np.float64)
    elif scaling is not None:
        frequencies, scale = _scaled(frequencies, head_dim, theta, scaling)
    angles = np.outer(np.arange(positions, dtype=np.float64), frequencies)
    return (np.cos(angles) * scale).astype(np.float32), (np.sin(angles) * scale).astype(np.float32)


def _scaled(frequencies: Doubles, head_dim: int, theta: float, scaling: Mapping[str, Any]) -> tuple[Doubles, float]:
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind == "default":
        return frequencies, 1.0
    if kind == "linear":
        return frequencies / float(scaling["factor"]), 1.0
    if kind == "llama3":
        return _llama3(frequencies, scaling), 1.0
    if kind == "yarn":
        return _yarn(frequencies, head_dim, theta, scaling)
    raise ValueError(f"rotary scaling {kind!r}")


def _llama3(frequencies: Doubles, scaling: Mapping[str, Any]) -> Doubles:
    factor, low, high = (float(scaling[key]) for key in ("factor", "low_freq_factor", "high_freq_factor"))
    turns = float(scaling["original_max_position_embeddings"]) * frequencies / (2 * math.pi)
    smooth = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return (1 - smooth) * frequencies / factor + smooth * frequencies


def _yarn(frequencies: Doubles, head_dim: int, theta: float, scaling: Mapping[str, Any]) -> tuple[Doubles, float]:
    factor = float(scaling["factor"])
    original = float(scaling["original_max_position_embeddings"])

    def dimension(turns: float) -> float:
        return head_dim * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(theta))

    low = max(math.floor(dimension(float(scaling.get("beta_fast") or 32.0))), 0)
    high = min(math.ceil(dimension(float(scaling.get("beta_slow") or 1.0))), head_dim - 1)
    ramp = np.clip((np.arange(head_dim // 2) - low) / (max(high - low, 0.001)), 0.0, 1.0)
    scale = scaling.get("attention_factor") or (0.1 * math.log(factor) + 1.0 if factor > 1 else 1.0)
    return frequencies / factor * ramp + frequencies * (1 - ramp), float(scale)
