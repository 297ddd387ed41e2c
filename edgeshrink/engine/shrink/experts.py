"""A mixture of experts made smaller in stages, each looked at by the suite: what fails its gate is refused, and said.

Fewer experts (dropped or merged), then narrower ones, then healing by the whole model, then the file that it would ship
as. The same recipe that costs one model next to nothing ruins another, so no stage is trusted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from edgeshrink.compress.prune.experts.names import experts_of
from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.reading import Reading, Unmeasured
from edgeshrink.core.shrinking import PruningTold, ShrinkRung
from edgeshrink.core.shrinking_request import ExpertsWanted, PruneRequest, Teaching
from edgeshrink.core.suite import Suite
from edgeshrink.core.training import TrainingRecord
from edgeshrink.core.verdict import Verdict
from edgeshrink.engine.climb import gated
from edgeshrink.engine.shrink.cut import Pruned
from edgeshrink.engine.shrink.examined import Look, examined
from edgeshrink.engine.shrink.expert_cuts import fewer, joined, narrower
from edgeshrink.engine.shrink.judged import mean_kl_of, verdict_of
from edgeshrink.engine.shrink.quantized import Terms, quantized
from edgeshrink.engine.shrink.source import Source
from edgeshrink.engine.shrink.teaching import taught
from edgeshrink.engine.steps.training import Heard
from edgeshrink.errors import PlanError
from edgeshrink.planning.resolve import Situation

_UNQUANTIZED = "unquantized"
_FFN_STEP = 8
"""Channels: torch's grouped products want rows of a multiple of 16 bytes, which are 8 of BF16's numbers."""


@dataclass(frozen=True, slots=True)
class Held:
    """What stages are held against. `suite` None: nobody judges."""

    original: Source
    request: PruneRequest
    suite: Suite | None
    floor: QualityFloor
    heard: Heard
    situation: Situation | None
    """For the last stage; None where no scheme was asked for."""
    look: Look | None = None


@dataclass(frozen=True, slots=True)
class Lessened:
    """The last model whose gate held. `record`: of its healing, None where it was not healed. `refusal`: the verdict on
    a stage after it that was refused; None: all held."""

    pruned: Pruned
    record: TrainingRecord | None
    behaviour: Behaviour | Unmeasured | None
    verdict: Verdict | None
    stages: tuple[ShrinkRung, ...]
    notes: tuple[str, ...] = ()
    refusal: Verdict | None = None


@dataclass(slots=True)
class _Now:
    """Where the stages are: the last model made, and the last one that was kept."""

    model: Pruned
    kept: Lessened | None = None
    stages: list[ShrinkRung] = field(default_factory=list)
    refused: str = ""
    refusal: Verdict | None = None

    def refuse(self, why: str, verdict: Verdict | None) -> None:
        self.refused, self.refusal = why, verdict


def check_experts(source: Source, wanted: ExpertsWanted) -> None:
    """Before any work: UsageError where the model has no experts; PlanError for what it cannot keep."""
    experts, _ = experts_of(source.workshop.model.facts)
    if wanted.count is not None and not experts.used <= wanted.count <= experts.count:
        raise PlanError(
            f"--experts {wanted.count}: the router of {source.brief().name} asks {experts.used} of {experts.count} "
            "experts for every token",
            hint=f"keep {experts.used} to {experts.count}",
        )
    if wanted.ffn is not None and not 1 <= wanted.ffn <= experts.ffn:
        raise PlanError(
            f"--expert-ffn {wanted.ffn}: the experts have {experts.ffn} channels", hint=f"name 1 to {experts.ffn}"
        )
    if wanted.ffn is not None and wanted.ffn % _FFN_STEP:
        raise PlanError(
            f"--expert-ffn {wanted.ffn}: the width of experts is a multiple of {_FFN_STEP}",
            hint=f"name {max(wanted.ffn // _FFN_STEP, 1) * _FFN_STEP}",
        )


def fewer_experts(held: Held) -> Lessened:
    """All stages that the request names. A cut that fails its gate is refused at once, or, where it is to be healed,
    unless healing brings it back. PlanError where nothing holds."""
    now = _Now(Pruned(held.original, _untouched(held.original)))
    for title, made in _cuts(held, now):
        if not now.refused:
            _cut(held, now, title, made)
    teaching = held.request.teaching
    if teaching is not None and not now.refused:
        _heal(held, now, teaching)
    if now.kept is None:
        raise PlanError(
            f"nothing smaller is kept: {now.refused}",
            hint="keep more experts (--experts), wider ones (--expert-ffn), heal them with --data FILE and --steps N, "
            "or lower what --gate asks",
        )
    if held.situation is not None and not now.refused:
        _quantize(held, now, held.situation)
    notes = (f"refused: {now.refused}",) if now.refused else ()
    return replace(now.kept, stages=tuple(now.stages), notes=notes, refusal=now.refusal)


def _cuts(held: Held, now: _Now) -> Iterator[tuple[str, Callable[[Source], Pruned]]]:
    """Each by its title, to be made from the model before."""
    wanted, experts = held.request.experts, experts_of(held.original.workshop.model.facts)[0]
    assert wanted is not None
    if wanted.count is not None and wanted.count < experts.count:
        yield f"{wanted.count} of {experts.count} experts", partial(fewer, wanted=wanted)
    if wanted.ffn is not None and wanted.ffn < experts.ffn:
        yield f"experts of {wanted.ffn} channels, not {experts.ffn}", partial(narrower, width=wanted.ffn)
    if not now.stages:
        yield "all experts", lambda _: now.model


def _cut(held: Held, now: _Now, title: str, made: Callable[[Source], Pruned]) -> None:
    began = time.monotonic()
    cut = made(now.model.source)
    told = cut.told if now.model.source is held.original else joined(now.model.told, cut.told)
    now.model = Pruned(cut.source, told)
    behaviour, verdict = _looked(held, now.model.source)
    failed = _failed(verdict)
    healed = held.request.teaching is not None
    why = cut.told.why if not failed else f"fails {failed}{'; healing follows' if healed else ''}"
    _stage(now, title, behaviour, verdict, seconds=time.monotonic() - began, why=why)
    if not failed:
        now.kept = Lessened(now.model, None, behaviour, verdict, ())
    elif not healed:
        now.refuse(f"{title} fails {failed}", verdict)


def _heal(held: Held, now: _Now, teaching: Teaching) -> None:
    began = time.monotonic()
    done = taught(held.original, now.model.source, teaching, held.suite, heard=held.heard, look=held.look)
    now.model = replace(now.model, source=done.student)
    behaviour, verdict = _looked(held, done.student)
    failed = _failed(verdict)
    title = "healed routers" if teaching.trains == "routers" else "healed"
    why = f"fails {failed}" if failed else f"taught by the whole model, {done.record.steps:,} steps"
    _stage(now, title, behaviour, verdict, seconds=time.monotonic() - began, tokens=done.record.tokens, why=why)
    if failed:
        now.refuse(f"even healed it fails {failed}", verdict)
    else:
        now.kept = Lessened(now.model, done.record, behaviour, verdict, ())


def _quantize(held: Held, now: _Now, situation: Situation) -> None:
    """Changes nothing of the model: says whether it holds as the file that was asked for."""
    began = time.monotonic()
    budget = gated(situation.profile.budget, held.request.request).model_copy(update={"quality": held.floor})
    assert held.request.scheme is not None
    terms = Terms(held.original, situation, held.suite, budget)
    one = quantized(terms, now.model.source, held.request.scheme)
    verdict = None if one.behaviour is None else verdict_of(held.floor, one.behaviour)
    failed = _failed(verdict)
    why = f"fails {failed}: build it with more bits" if failed else "as it would ship"
    _stage(
        now,
        "quantized",
        one.behaviour,
        verdict,
        seconds=time.monotonic() - began,
        why=why,
        scheme=one.plan.scheme,
        nbytes=one.artifact.nbytes,
        mean_kl=one.mean_kl,
    )
    if failed:
        now.refuse(f"as {one.plan.scheme} it fails {failed}", verdict)


def _looked(held: Held, source: Source) -> tuple[Behaviour | Unmeasured | None, Verdict | None]:
    if held.suite is None:
        return None, None
    behaviour = examined(held.original, source, held.suite, held.floor)
    return behaviour, verdict_of(held.floor, behaviour)


def _failed(verdict: Verdict | None) -> str:
    """The gates that fail, "" where none does."""
    lines = () if verdict is None else verdict.lines
    return ", ".join(dict.fromkeys(line.slice or line.name for line in lines if line.outcome == "FAIL"))


def _stage(
    now: _Now,
    title: str,
    behaviour: Behaviour | Unmeasured | None,
    verdict: Verdict | None,
    *,
    seconds: float,
    why: str,
    tokens: int = 0,
    scheme: str = _UNQUANTIZED,
    nbytes: int | None = None,
    mean_kl: Reading | None = None,
) -> None:
    brief = now.model.source.brief()
    lines = () if verdict is None else verdict.lines
    now.stages.append(
        ShrinkRung(
            title=title,
            scheme=scheme,
            parameters=brief.parameters,
            artifact_bytes=brief.nbytes if nbytes is None else nbytes,
            seconds=seconds,
            tokens=tokens,
            mean_kl=mean_kl_of(behaviour) if mean_kl is None else mean_kl,
            gates_failed=None if verdict is None else sum(line.outcome == "FAIL" for line in lines),
            score=None,
            fits=None,
            kept=not _failed(verdict),
            why=why,
        )
    )


def _untouched(source: Source) -> PruningTold:
    text, facts = source.workshop.calibration_text, source.workshop.model.facts
    return PruningTold(
        methods=("measuring",),
        axes=(),
        kept_layers=tuple(range(facts.n_layers)),
        calibration=text.name,
        calibration_sha256=text.sha256,
        calibration_tokens=0,
        why="every expert stays; their usage is counted",
    )
