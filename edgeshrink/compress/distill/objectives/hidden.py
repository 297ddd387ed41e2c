"""Learn from the inside of the teacher too: states of mapped layers and attention relations, beside its logits.

The states of every pair of layers (`representations/states.py`) and the relations of the last pair alone, as MiniLMv2
has it (`representations/relations.py`), are added with the weight `hidden_weight` to the loss over the logits.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from edgeshrink.compress.distill.models import decoder_layers, hidden_states, load_frozen
from edgeshrink.compress.distill.objectives.logits import Logits
from edgeshrink.compress.distill.objectives.parameters import Parameters
from edgeshrink.compress.distill.representations.capture import Captured, capture
from edgeshrink.compress.distill.representations.mapping import Layers, check_layers, even_layers
from edgeshrink.compress.distill.representations.relations import relation_divergence, relation_heads
from edgeshrink.compress.distill.representations.states import fitted_projection, state_distance
from edgeshrink.compress.training.objective import Batch, Frozen, Losses
from edgeshrink.core.training import ObjectiveSettings
from edgeshrink.errors import PlanError


def build(student: Any, parameters: Parameters, device: Any) -> Hidden:
    """PlanError where a cache is to stand in for the teacher, whose insides it does not have, or layers do not fit."""
    if parameters.settings.cached or parameters.teacher is None:
        raise PlanError(
            "the objective hidden needs the teacher itself: a cache holds nothing but its logits",
            hint="leave the cache out, or use --objective logits",
        )
    teacher = Frozen(load_frozen(parameters.teacher, device=str(device)))
    return Hidden(student, parameters.settings, teacher, parameters.vocabulary)


class Hidden(Logits):
    """`projections`: one for each pair of layers where the models' hidden widths differ, trained with the student and
    left behind with it."""

    def __init__(
        self, student: Any, settings: ObjectiveSettings, teacher: Frozen, vocabulary: int | None = None
    ) -> None:
        super().__init__(student, settings, teacher, None, vocabulary)
        self._held_against = teacher
        own, other = len(decoder_layers(student)), len(decoder_layers(teacher.module))
        self.layers = check_layers(settings.layers, own, other) if settings.layers else even_layers(own, other)
        self._related = self.layers[-1:] if settings.relations else ()
        self._weight = settings.hidden_weight
        same = student.config.hidden_size == teacher.module.config.hidden_size
        fitted = None if same else fitted_projection(student, teacher.module)
        self.projections = nn.ModuleList(
            nn.Identity() if fitted is None else copy.deepcopy(fitted) for _ in self.layers
        )

    def forward(self, batch: Batch) -> Losses:
        return self._all(batch, held_out=False)

    def held_out(self, batch: Batch) -> Losses:
        with torch.no_grad():
            return self._all(batch, held_out=True)

    def _all(self, batch: Batch, *, held_out: bool) -> Losses:
        teacher = self._held_against.module
        with torch.no_grad(), capture(teacher, *_listened(self.layers, self._related, 1)) as wanted:
            judged = hidden_states(teacher, batch.tokens)
        with capture(self.student, *_listened(self.layers, self._related, 0)) as found:
            losses = self.losses(batch, hidden_states(self.student, batch.tokens), judged, held_out=held_out)
        weights = nn.functional.pad(batch.weights[:, 1:], (0, 1))  # state i speaks of token i + 1, the last of none
        parts = {"hidden": self._states(found, wanted, weights)}
        if self._related:
            parts["relations"] = self._relations(found, wanted, weights)
        total = losses.total + self._weight * sum(parts.values())
        return Losses(total, losses.parts | {name: part.detach() for name, part in parts.items()})

    def _states(self, found: Captured, wanted: Captured, weights: Tensor) -> Tensor:
        """The mean over the pairs of layers."""
        distances = [
            state_distance(project(found.states[own]), wanted.states[other], weights)
            for (own, other), project in zip(self.layers, self.projections, strict=True)
        ]
        return torch.stack(distances).mean()

    def _relations(self, found: Captured, wanted: Captured, weights: Tensor) -> Tensor:
        """The mean over queries, keys and values and the pairs of layers."""
        total = weights.new_zeros(())
        for own, other in self._related:
            for one, another in (
                (found.queries[own], wanted.queries[other]),
                (found.keys[own], wanted.keys[other]),
                (found.values[own], wanted.values[other]),
            ):
                heads = relation_heads(one.shape[-1], another.shape[-1])
                total = total + relation_divergence(_at_unit_length(one), _at_unit_length(another), weights, heads)
        return total / (3 * len(self._related))


def _at_unit_length(vectors: Tensor) -> Tensor:
    """Divided by their root mean square. Queries and keys of decoders are long: their relations would be one position
    each, and the divergence of such relations drowns all else (demo model: 8.7 nats beside 1.8 of the logits)."""
    return nn.functional.rms_norm(vectors.float(), vectors.shape[-1:])


def _listened(layers: Layers, related: Layers, side: int) -> tuple[list[int], list[int]]:
    """The layers of one side (0 student, 1 teacher) whose states and whose attention are wanted, each once."""
    return sorted({pair[side] for pair in layers}), sorted({pair[side] for pair in related})
