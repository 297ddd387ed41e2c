"""What the tensors of a mixture's experts are called in its files."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgeshrink.core.architectures import ARCHITECTURES, ExpertNames
from edgeshrink.core.model import Experts, ModelFacts
from edgeshrink.errors import UsageError

_EXPERT = re.compile(r"model\.layers\.(\d+)\.[a-z_]+\.experts\.(\d+)\.([a-z0-9_]+)\.weight")
_ROUTER = re.compile(r"model\.layers\.(\d+)\.[a-z_]+\.gate\.weight")


@dataclass(frozen=True, slots=True)
class ExpertTensor:
    """`matrix`: 0 gate, 1 up, 2 down."""

    layer: int
    expert: int
    matrix: int


def experts_of(facts: ModelFacts) -> tuple[Experts, ExpertNames]:
    """UsageError where the model is no mixture of experts."""
    names = ARCHITECTURES[facts.model_type].experts
    if facts.experts is None or names is None:
        raise UsageError(
            f"{facts.source.given} is a {facts.model_type}: it has no experts",
            hint="leave out --experts and --expert-ffn; --params SHARE and the others cut dense models",
        )
    return facts.experts, names


def expert_name(facts: ModelFacts, tensor: ExpertTensor) -> str:
    """`model.layers.0.mlp.experts.5.up_proj.weight`."""
    _, names = experts_of(facts)
    return f"model.layers.{tensor.layer}.{names.block}.experts.{tensor.expert}.{names.matrices[tensor.matrix]}.weight"


def router_name(facts: ModelFacts, layer: int) -> str:
    """`model.layers.0.mlp.gate.weight`."""
    _, names = experts_of(facts)
    return f"model.layers.{layer}.{names.block}.gate.weight"


def expert_tensor(facts: ModelFacts, name: str) -> ExpertTensor | None:
    """None where `name` is no matrix of an expert that the router chooses."""
    match = _EXPERT.fullmatch(name)
    if match is None:
        return None
    _, names = experts_of(facts)
    return ExpertTensor(int(match[1]), int(match[2]), names.matrices.index(match[3]))


def router_layer(name: str) -> int | None:
    """The layer whose router is called `name`; None where it is none."""
    match = _ROUTER.fullmatch(name)
    return None if match is None else int(match[1])
