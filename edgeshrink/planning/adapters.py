"""Where the updates of an adapter belong in a base model, and how they are called in a GGUF. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from edgeshrink.core.adapter import GGUF_A, GGUF_B, Adapter
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import TensorPlan
from edgeshrink.errors import DataError
from edgeshrink.planning.layout import layout

LINEAR: Final = "_proj"
"""How the name of every linear layer ends that takes an update."""
_WHY = "a low-rank update"
_SHOWN = 3


def adapted_tensors(facts: ModelFacts, adapter: Adapter) -> tuple[TensorPlan, ...]:
    """The base's tensor of every update of `adapter`, in their order: name in a GGUF, shape, and how its rows are
    turned. DataError where the model of `facts` has no such linear layer, or one of another shape."""
    as_folder = replace(facts, source=replace(facts.source, kind="huggingface"))
    named = {plan.source: plan for plan in layout(as_folder)}
    found: list[TensorPlan] = []
    for update in adapter.updates:
        plan = named.get(update.weight)
        if plan is None or len(plan.shape) != 2:
            raise _unlike(adapter, facts, f"it updates {update.weight}, which the model does not have")
        shape = (update.b.shape[0], update.a.shape[1])
        if shape != plan.shape:
            words = f"it updates {update.weight} as {list(shape)}, the model's is {list(plan.shape)}"
            raise _unlike(adapter, facts, words)
        if plan.name.startswith("token_embd"):
            raise _unlike(adapter, facts, f"it updates {update.weight}, which is a table and no linear layer")
        found.append(plan)
    return tuple(found)


def adapter_plan(facts: ModelFacts, adapter: Adapter, type: str = "F16") -> tuple[TensorPlan, ...]:
    """The tensors of the GGUF adapter, two for every update, of the storage type `type`. Rows of b are turned where
    those of the base's weight are; a reads what goes into the layer, which is the same in both."""
    plans: list[TensorPlan] = []
    for base, update in zip(adapted_tensors(facts, adapter), adapter.updates, strict=True):
        a, b = update.a, update.b
        plans.append(TensorPlan(base.name + GGUF_A, a.name, a.shape, type, _WHY))
        plans.append(TensorPlan(base.name + GGUF_B, b.name, b.shape, type, _WHY, base.transform, base.heads))
    return tuple(plans)


def trained_parameters(facts: ModelFacts, rank: int, targets: tuple[str, ...]) -> int:
    """How many numbers updates of `rank` of the linear layers `targets` have; () is every one of the decoder."""
    return sum(
        rank * sum(shape) for name, shape in _linear_layers(facts) if not targets or name.rpartition(".")[2] in targets
    )


def check_targets(facts: ModelFacts, targets: tuple[str, ...]) -> None:
    """DataError where a name of `targets` is no linear layer of the decoder."""
    there = dict.fromkeys(name.rpartition(".")[2] for name, _ in _linear_layers(facts))
    unknown = [name for name in targets if name not in there]
    if unknown:
        raise DataError(
            f"{facts.source.given} has no linear layer {', '.join(unknown[:_SHOWN])} to hang an update on",
            hint=f"its layers have {', '.join(there)}",
        )


def _linear_layers(facts: ModelFacts) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of each in the decoder; routers and stacked experts are none."""
    for plan in layout(facts):
        name = plan.source.removesuffix(".weight")
        if len(plan.shape) == 2 and name.startswith("model.layers.") and name.endswith(LINEAR):
            yield name, plan.shape


def _unlike(adapter: Adapter, facts: ModelFacts, words: str) -> DataError:
    trained_on = f" (it says it was trained on {adapter.base_name})" if adapter.base_name else ""
    return DataError(
        f"adapter {adapter.name} does not fit {facts.source.given}{trained_on}: {words}",
        hint="give the adapter that was trained on this base, or train it again on it",
    )
