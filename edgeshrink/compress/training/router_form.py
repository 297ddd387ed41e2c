"""Only the routers of a mixture of experts are trained, and the norms: where to send a token, not what is done there.

A handful of numbers a token, so little text is enough to send the tokens of dropped or merged experts elsewhere; after
Xie et al. 2024, "MoE-Pruner", arXiv:2410.12013, who distil the pruned model from the whole one. Imports torch: for jobs
only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edgeshrink.compress.training.distributed import World
from edgeshrink.compress.training.forms import Whole
from edgeshrink.core.model import ModelFacts
from edgeshrink.errors import UsageError

_TRAINED: Final = ("mlp.gate.weight", "mlp.shared_expert_gate.weight", "norm.weight")


class RouterForm:
    """Fits `Form`: routers, the shared expert's gate and norms."""

    rate_share = 1.0

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._whole = Whole(parameters)

    def prepare(self, student: Any) -> None:
        """UsageError where the student has no router."""
        if not any(name.endswith(_TRAINED[0]) for name, _ in student.named_parameters()):
            raise UsageError(
                f"{type(student).__name__} has no experts, so no router to heal", hint="leave out --heal routers"
            )
        for name, parameter in student.named_parameters():
            parameter.requires_grad_(name.endswith(_TRAINED))

    def trained(self, facts: ModelFacts) -> int | None:
        experts = facts.experts
        if experts is None:
            return None
        shared = 1 if experts.shared_ffn else 0
        norms = sum(math.prod(tensor.shape) for tensor in facts.tensors if tensor.name.endswith("norm.weight"))
        return facts.n_layers * facts.hidden_size * (experts.count + shared) + norms

    def write(self, facts: ModelFacts, student: Any, out: Path, world: World) -> None:
        self._whole.write(facts, student, out, world)
