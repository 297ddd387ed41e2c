"""Mixtures of experts: how much of one a token goes through, and which formats do not take it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from edgeshrink.core.model import Experts, ModelFacts, of_experts
from edgeshrink.core.plan import TensorPlan
from edgeshrink.errors import UnsupportedModel
from edgeshrink.planning.gguf_metadata import size_label


def active_bytes(tensors: Iterable[TensorPlan], experts: Experts | None) -> int:
    """Bytes that one token goes through: all, of the routed experts those that are used."""
    return sum(_active(tensor, tensor.nbytes, experts) for tensor in tensors)


def active_elements(tensors: Iterable[TensorPlan], experts: Experts | None) -> int:
    """The same in weights."""
    return sum(_active(tensor, tensor.elements, experts) for tensor in tensors)


def mixture_notes(facts: ModelFacts, tensors: tuple[TensorPlan, ...]) -> tuple[str, ...]:
    """What a reader should know of the sizes of a mixture of experts; nothing of other models."""
    experts = facts.experts
    if experts is None:
        return ()
    shared = ", beside a shared one" if experts.shared_ffn else ""
    active, total = active_elements(tensors, experts), sum(tensor.elements for tensor in tensors)
    return (
        f"a mixture of experts: a token goes through {experts.used} of {experts.count} experts a layer{shared}, "
        f"{size_label(active)} of {size_label(total)} parameters; memory takes all, decoding reads what is active",
    )


def refuse_mixture(facts: ModelFacts, format: str) -> None:
    """UnsupportedModel where `format` is not written of mixtures of experts."""
    if facts.experts is not None:
        raise UnsupportedModel(
            f"{facts.source.path}: a mixture of experts ({facts.model_type}) is built as GGUF, not as {format}",
            hint="build --format gguf",
        )


def _active(tensor: TensorPlan, whole: int, experts: Experts | None) -> int:
    if experts is None or not of_experts(tensor.name):
        return whole
    return whole * experts.used // experts.count
