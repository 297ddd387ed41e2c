"""Llama 3's rotary scaling as the tensor that llama.cpp wants: one divisor per pair of a head's dimensions.

Source: transformers `modeling_rope_utils._compute_llama3_parameters` (Llama 3.1, https://arxiv.org/abs/2407.21783).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from edgeshrink.core.model import ModelFacts

if TYPE_CHECKING:
    import numpy as np

ROPE_FREQS = "rope_freqs.weight"


def rope_factor_count(facts: ModelFacts) -> int:
    """How many factors the model needs; 0 where its rotary positions need no tensor."""
    scaled = facts.rope_scaling is not None and facts.rope_scaling.get("rope_type") == "llama3"
    return facts.head_dim // 2 if scaled else 0


def rope_factors(facts: ModelFacts) -> tuple[float, ...]:
    """Divisor of each frequency, highest frequency first: 1 below the high cut, `factor` above the low one."""
    scaling = facts.rope_scaling
    if scaling is None or not rope_factor_count(facts):
        return ()
    factor, low, high = scaling["factor"], scaling["low_freq_factor"], scaling["high_freq_factor"]
    original = scaling["original_max_position_embeddings"]
    factors = []
    for pair in range(facts.head_dim // 2):
        wavelength = 2 * math.pi * facts.rope_theta ** (2 * pair / facts.head_dim)
        if wavelength < original / high:
            factors.append(1.0)
        elif wavelength > original / low:
            factors.append(float(factor))
        else:
            smooth = (original / wavelength - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return tuple(factors)


def computed_tensors(facts: ModelFacts) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """The tensors of the plan that have no source, by name: float32, in the plan's shape."""
    import numpy as np

    if facts.source.kind == "gguf" or not rope_factor_count(facts):
        return {}
    return {ROPE_FREQS: np.array(rope_factors(facts), dtype=np.float32)}
