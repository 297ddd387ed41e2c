"""Only low-rank updates are trained, beside a base that stays as it is or is rounded first. Imports torch.

Rounded to the blocks of a GGUF, the updates learn to put right what the rounding did too (Dettmers et al. 2023, QLoRA,
arXiv:2305.14314; there the base was NF4). Nothing else has gradients or moments.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from edgeshrink.catalog.adapters import read_adapter
from edgeshrink.compress.adapters.folder import Pair, write_adapter
from edgeshrink.compress.adapters.merging import merge
from edgeshrink.compress.adapters.modules import adapt, adapted
from edgeshrink.compress.grid.rounded import Rounding, rounding_of
from edgeshrink.compress.training.distributed import World, whole
from edgeshrink.core.model import ModelFacts
from edgeshrink.planning.adapters import LINEAR, trained_parameters

_ASIDE = ".adapter"


class LoraForm:
    """Fits `Form`; made of `order.lora_parameters`.

    The few numbers of an update take larger steps than those of a matrix: on a skill that the demo had to learn, rank 3
    reached 85 % of full training's gain at its own rate, and 94 % at five times that.
    """

    rate_share = 5.0

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self._rank, self._alpha = int(parameters["rank"]), float(parameters["alpha"])
        self._targets = tuple(parameters["targets"])
        told = parameters["rounding"]
        self._rounding: Rounding | None = None if told is None else rounding_of(told)

    def trained(self, facts: ModelFacts) -> int | None:
        """The updates' own numbers."""
        return trained_parameters(facts, self._rank, self._targets)

    def prepare(self, student: Any) -> None:
        """Round the base, freeze it, and hang the updates beside it."""
        if self._rounding is not None:
            _round(student, self._rounding)
        adapt(
            student,
            rank=self._rank,
            scale=self._alpha / self._rank,
            targets=self._targets,
            suffix=LINEAR,
            seed=int(self._parameters["seed"]),
        )

    def write(self, facts: ModelFacts, student: Any, out: Path, world: World) -> None:
        """The adapter's folder, or with "merged" the base with the updates in it: made of the base's own files, since
        what is in memory may be cut up over the workers, and has lost the source's type."""
        pairs: dict[str, Pair] = {
            name: (whole(module.a).numpy(), whole(module.b).numpy()) for name, module in adapted(student).items()
        }
        if not world.writes:
            return
        merged = bool(self._parameters["merged"])
        folder = out.with_name(out.name + _ASIDE) if merged else out
        write_adapter(
            folder,
            pairs,
            rank=self._rank,
            alpha=self._alpha,
            base=str(self._parameters["base"]),
            base_name=str(self._parameters["base_name"]),
            scheme=None if self._rounding is None else self._rounding.scheme,
            license=self._parameters["license"],
        )
        if merged:
            adapter = read_adapter(folder)
            merge(facts, adapter, out, rounding=self._rounding, threads=torch.get_num_threads())
            shutil.rmtree(folder)


def _round(student: Any, rounding: Rounding) -> None:
    """Every weight as its file will spell it; a tied head is the embedding itself."""
    with torch.no_grad():
        for name, value in student.named_parameters():
            if value.dim() > 1 and name in rounding.types:
                found = rounding.of(name, value.cpu().numpy(), threads=torch.get_num_threads())
                value.copy_(torch.from_numpy(found))
