"""Cut a part of the way, heal, look, and again: what a student lost is learnt back before more is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgeshrink.compress.distill.representations.mapping import kept_layers
from edgeshrink.core.shrinking_request import PruneRequest, Teaching
from edgeshrink.core.suite import Suite
from edgeshrink.core.training import GateCheck, TrainingRecord
from edgeshrink.engine.shrink.cut import Pruned, cut_to
from edgeshrink.engine.shrink.examined import Look
from edgeshrink.engine.shrink.learning_text import part_of
from edgeshrink.engine.shrink.source import Source
from edgeshrink.engine.shrink.teaching import taught
from edgeshrink.engine.steps.training import Heard
from edgeshrink.planning.shrink.axes import told
from edgeshrink.planning.shrink.cycles import cycles


@dataclass(frozen=True, slots=True)
class Healing:
    """What every turn is healed with and looked at; `look` None: there is no suite."""

    original: Source
    request: PruneRequest
    teaching: Teaching
    suite: Suite | None
    look: Look | None
    heard: Heard


@dataclass(frozen=True, slots=True)
class _Turn:
    """What one turn left. `kept` are the layers of the original that it still has."""

    student: Source
    kept: tuple[int, ...]
    record: TrainingRecord
    check: GateCheck | None


def healed_in_cycles(healing: Healing, straight: Pruned) -> tuple[Pruned, TrainingRecord]:
    """The shape of `straight`, reached in turns that share the run's length, each looked at.

    Where the command line names gates, the first turn that fails one ends it, and the student before it is the result.
    The record is that of the turn that was kept.
    """
    original, request = healing.original, healing.request
    whole, goal = original.brief().shape, straight.source.brief().shape
    ways = cycles(original.workshop.model.facts, goal, request.cycles)
    if len(ways) == 1:
        turn = _turn(healing, straight, straight.told.kept_layers, 1.0)
        return replace(straight, source=turn.student), turn.record
    turns: list[_Turn] = []
    now, kept = original, tuple(range(whole.layers))
    for shape in ways:
        pruned = cut_to(now, (shape,), request.methods, original.workshop.calibration_text)
        kept = tuple(kept[layer] for layer in pruned.told.kept_layers)
        turns.append(_turn(healing, pruned, kept, 1 / len(ways)))
        if request.request.gates and _failed(turns[-1]):
            break
        now = turns[-1].student
    chosen = turns[-2] if len(turns) > 1 and request.request.gates and _failed(turns[-1]) else turns[-1]
    why = f"{straight.told.why}; in {len(ways)} cycles of cutting and healing"
    axes = told(whole, chosen.student.brief().shape)
    record = replace(chosen.record, notes=(*chosen.record.notes, *_notes(original, turns, len(ways), chosen)))
    return Pruned(chosen.student, replace(straight.told, kept_layers=chosen.kept, axes=axes, why=why)), record


def _turn(healing: Healing, pruned: Pruned, kept: tuple[int, ...], share: float) -> _Turn:
    original = healing.original
    teaching = _facing(part_of(healing.teaching, share), kept, original.brief().shape.layers)
    done = taught(original, pruned.source, teaching, healing.suite, heard=healing.heard, look=healing.look)
    check = None if healing.look is None or share == 1 else healing.look(done.student, done.record.steps)
    return _Turn(done.student, kept, done.record, check)


def _facing(teaching: Teaching, kept: tuple[int, ...], layers: int) -> Teaching:
    """Each of the `kept` layers learns from the one of the original's `layers` that it stands for now, where states of
    layers are learnt from at all."""
    objective = teaching.objective
    if objective.kind != "hidden" or objective.layers:
        return teaching
    return replace(teaching, objective=replace(objective, layers=kept_layers(kept, layers)))


def _failed(turn: _Turn) -> bool:
    return turn.check is not None and turn.check.outcome == "FAIL"


def _notes(original: Source, turns: Sequence[_Turn], planned: int, chosen: _Turn) -> list[str]:
    """A sentence for each turn, and which one is the result."""
    whole = original.workshop.model.parameters
    found = []
    for number, turn in enumerate(turns, 1):
        share = turn.student.workshop.model.parameters / whole
        told = f"cycle {number} of {planned}: {share:.0%} of the parameters, {turn.record.tokens:,} tokens"
        if turn.check is not None:
            told += "" if turn.check.mean_kl is None else f", mean KL {turn.check.mean_kl:.3g} nats"
            told += f", {len(turn.check.failed)} gates failed" if turn.check.failed else ", no gate failed"
        found.append(told)
    if chosen is not turns[-1]:
        found.append(f"the student is that of cycle {turns.index(chosen) + 1}: the next failed a gate")
    return found
