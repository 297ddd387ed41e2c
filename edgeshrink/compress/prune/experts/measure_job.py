"""The child's side of `measure` for cuts of experts. Imports torch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from edgeshrink.compress.prune.experts.cut import check_expert_cut, expert_cut_of
from edgeshrink.compress.prune.experts.cut_module import cut_experts
from edgeshrink.compress.prune.measure_job import distances
from edgeshrink.core.model import ModelFacts


def job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """{"kl": a number for each cut}. Parameters: see `measure`."""
    return distances(parameters, emit, lambda facts, cut: check_expert_cut(facts, expert_cut_of(cut)), _cut)


@contextlib.contextmanager
def _cut(model: Any, facts: ModelFacts, cut: Any) -> Iterator[Any]:
    with cut_experts(model, expert_cut_of(cut)):
        yield model
