"""What is kept of a mixture's experts, as a value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from edgeshrink.compress.prune.experts.names import experts_of
from edgeshrink.core.model import ModelFacts
from edgeshrink.errors import PlanError

_TOLERANCE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class NewExpert:
    """One expert made of `members` of a layer, `shares` of each adding up to 1; the first gives the order of the
    channels. `channels`: which of its channels stay, ascending; None: all."""

    members: tuple[int, ...]
    shares: tuple[float, ...] = (1.0,)
    channels: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class ExpertCut:
    """The experts of each layer of the smaller model; equally many in all, all of one width."""

    layers: tuple[tuple[NewExpert, ...], ...] = field(repr=False)

    @property
    def count(self) -> int:
        return len(self.layers[0])


def check_expert_cut(facts: ModelFacts, cut: ExpertCut) -> None:
    """PlanError where `cut` is none of the model of `facts`."""
    experts, _ = experts_of(facts)
    if len(cut.layers) != facts.n_layers or len({len(layer) for layer in cut.layers}) != 1:
        raise PlanError("a cut names equally many experts for every layer of the model")
    if not experts.used <= cut.count <= experts.count:
        raise PlanError(
            f"{cut.count} experts: the router asks {experts.used} of {experts.count} for every token",
            hint=f"keep {experts.used} to {experts.count}",
        )
    widths = {_width(one, experts.ffn) for layer in cut.layers for one in layer}
    if len(widths) != 1:
        raise PlanError("all experts keep equally many channels, since a GGUF has one width for all")
    for one in (one for layer in cut.layers for one in layer):
        if not one.members or not set(one.members) <= set(range(experts.count)):
            raise PlanError(f"the model has experts 0 to {experts.count - 1}, and one is made of {list(one.members)}")
        if len(one.shares) != len(one.members) or abs(sum(one.shares) - 1) > _TOLERANCE:
            raise PlanError(f"the shares of {list(one.members)} do not add up to 1")
        if one.channels is not None and (
            not one.channels
            or list(one.channels) != sorted(set(one.channels))
            or not 0 <= one.channels[0] <= one.channels[-1] < experts.ffn
        ):
            raise PlanError(f"channels are numbers from 0 to {experts.ffn - 1}, ascending, at least one")


def cut_width(facts: ModelFacts, cut: ExpertCut) -> int:
    """Width of the experts afterwards."""
    return _width(cut.layers[0][0], experts_of(facts)[0].ffn)


def expert_cut_json(cut: ExpertCut) -> list[Any]:
    """JSON values; `expert_cut_of` reads them back."""
    return [
        [
            {
                "members": list(one.members),
                "shares": list(one.shares),
                "channels": None if one.channels is None else list(one.channels),
            }
            for one in layer
        ]
        for layer in cut.layers
    ]


def expert_cut_of(data: list[list[Mapping[str, Any]]]) -> ExpertCut:
    return ExpertCut(
        tuple(
            tuple(
                NewExpert(
                    tuple(one["members"]),
                    tuple(one["shares"]),
                    None if one["channels"] is None else tuple(one["channels"]),
                )
                for one in layer
            )
            for layer in data
        )
    )


def _width(one: NewExpert, whole: int) -> int:
    return whole if one.channels is None else len(one.channels)
