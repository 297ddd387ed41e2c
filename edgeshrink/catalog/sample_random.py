"""Samples where nobody gave any: seeded random numbers, said to be that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.sample_gathering import Role, Tick, gather, no_tick
from edgeshrink.catalog.samples import Sample, Samples
from edgeshrink.core.network import NetworkFacts, Port

ORIGIN = "random inputs, not real ones"
_BATCH_NAMES = ("batch", "batch_size", "n")
_UNKNOWN_SIZE = 32
_LARGEST_SIZE = 128
_IDS = 100
_CONSTANT = {"attention_mask": 1, "token_type_ids": 0}


def random_samples(
    facts: NetworkFacts,
    *,
    calibration: int,
    evaluation: int,
    seed: int,
    examples: Mapping[str, NDArray[Any]],
    tick: Tick = no_tick,
) -> tuple[Samples, Samples]:
    """Normal floats, and whole numbers that stand in `examples` (by input name); dynamic sizes vary from sample to
    sample within their limits. Without an example whole numbers are small ids."""
    rng = np.random.default_rng(seed)

    def part(role: Role, count: int) -> Samples:
        made = (Sample(_arrays(facts, rng, examples)) for _ in range(count))
        return gather(role, made, count, ORIGIN, tick=tick)

    return part("calibration", calibration), part("evaluation", evaluation)


def _arrays(
    facts: NetworkFacts, rng: np.random.Generator, examples: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    limits = {name: (low, high) for name, low, high in facts.limits}
    sizes: dict[str, int] = {}
    for port in facts.inputs:
        for size in port.shape:
            if isinstance(size, str) and size not in sizes:
                sizes[size] = _size(size, limits, rng)
    return {port.name: random_array(port, sizes, rng, examples.get(port.name)) for port in facts.inputs}


def _size(name: str, limits: Mapping[str, tuple[int, int]], rng: np.random.Generator) -> int:
    if name in limits:
        low, high = limits[name]
        return int(rng.integers(low, max(low, min(high, _LARGEST_SIZE)) + 1))
    return 1 if name.lower() in _BATCH_NAMES else _UNKNOWN_SIZE


def random_array(
    port: Port, sizes: Mapping[str, int], rng: np.random.Generator, example: NDArray[Any] | None = None
) -> NDArray[Any]:
    """An array that `port` takes; `sizes` of its dynamic dimensions by name."""
    shape = tuple(sizes[size] if isinstance(size, str) else size for size in port.shape)
    kind = np.dtype(port.dtype)
    if kind.kind == "f":
        return np.asarray(rng.standard_normal(shape), dtype=kind)
    if kind.kind == "b":
        return np.asarray(rng.integers(0, 2, shape), dtype=kind)
    if port.name in _CONSTANT:
        return np.full(shape, _CONSTANT[port.name], dtype=kind)
    if example is not None and example.size:
        return np.asarray(rng.choice(example.reshape(-1), shape), dtype=kind)
    return np.asarray(rng.integers(0, _IDS, shape), dtype=kind)
