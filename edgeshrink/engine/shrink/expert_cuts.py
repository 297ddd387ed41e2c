"""Which experts go: rankings and merges are measured, and what stands nearest to the model is written."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgeshrink.compress.prune.experts.cut import ExpertCut
from edgeshrink.compress.prune.experts.dropping import dropped, narrowed
from edgeshrink.compress.prune.experts.merging import merged
from edgeshrink.compress.prune.experts.names import experts_of
from edgeshrink.compress.prune.experts.scores import RANKINGS, ExpertScores, read_expert_scores
from edgeshrink.core.shrinking import PruningTold
from edgeshrink.core.shrinking_request import ExpertsWanted
from edgeshrink.engine.shrink.cut import Pruned
from edgeshrink.engine.shrink.source import Source, source_of, torch_pins
from edgeshrink.engine.steps.cutting import MODEL
from edgeshrink.engine.steps.experts import CutExperts, ScoreExperts
from edgeshrink.engine.steps.measuring_cuts import MeasureCuts, read_measured

_LEADING = "activation-norm"
_BASELINE = "router"


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to fewer experts. `ranking` says who stays, or who leads where several become one."""

    ranking: str
    merge: bool

    @property
    def words(self) -> str:
        return f"merged, led by {self.ranking}" if self.merge else f"dropped by {self.ranking}"


def scored(source: Source) -> ExpertScores:
    """The experts of `source` on the calibration text."""
    workshop = source.workshop
    step = ScoreExperts(workshop.model.facts, source.digest, workshop.calibration_text, workshop.threads, torch_pins())
    return read_expert_scores(workshop.run(step).folder)


def fewer(source: Source, wanted: ExpertsWanted) -> Pruned:
    """`source` with wanted.count experts a layer: of the ways that are left open, the nearest before any healing."""
    facts = source.workshop.model.facts
    experts, _ = experts_of(facts)
    assert wanted.count is not None
    scores, count = scored(source), wanted.count
    ways = _ways(wanted)
    cuts = tuple(_cut(scores, way, count) for way in ways)
    distances = _measured(source, cuts)
    best = min(range(len(cuts)), key=lambda index: distances[index])
    made = _written(source, cuts[best])
    share = made.brief().parameters / source.brief().parameters
    return Pruned(
        made,
        PruningTold(
            methods=(ways[best].ranking, "merging" if ways[best].merge else "dropping"),
            axes=(("experts", experts.count, count),),
            kept_layers=tuple(range(facts.n_layers)),
            calibration=source.workshop.calibration_text.name,
            calibration_sha256=scores.text_sha256,
            calibration_tokens=scores.tokens,
            why=_why(ways, best, distances),
            considered=tuple(
                (f"{count} of {experts.count} experts, {way.words}", share, kl)
                for way, kl in zip(ways, distances, strict=True)
            ),
        ),
    )


def narrower(source: Source, width: int) -> Pruned:
    """`source` with experts of `width` channels, those that add most."""
    facts, scores = source.workshop.model.facts, scored(source)
    experts, _ = experts_of(facts)
    cut = narrowed(scores.channels, width)
    (distance,) = _measured(source, (cut,))
    return Pruned(
        _written(source, cut),
        PruningTold(
            methods=("expert channels",),
            axes=(("expert_ffn", experts.ffn, width),),
            kept_layers=tuple(range(facts.n_layers)),
            calibration=source.workshop.calibration_text.name,
            calibration_sha256=scores.text_sha256,
            calibration_tokens=scores.tokens,
            why=f"the channels that add most: mean KL {distance:.3g} nats before any healing",
        ),
    )


def joined(first: PruningTold, then: PruningTold) -> PruningTold:
    """Two cuts, one after the other, as one."""
    return replace(
        first,
        methods=(*first.methods, *then.methods),
        axes=(*first.axes, *then.axes),
        why=f"{first.why}; {then.why}",
        considered=(*first.considered, *then.considered),
    )


def _ways(wanted: ExpertsWanted) -> tuple[_Way, ...]:
    """What is left open is tried; rankings that only look at the router have to be asked for."""
    rankings = (wanted.ranking,) if wanted.ranking else tuple(name for name in RANKINGS if name != _BASELINE)
    dropping = [_Way(name, False) for name in rankings]
    merging = [_Way(wanted.ranking or _LEADING, True)]
    if wanted.merge is None:
        return (*dropping, *merging)
    return tuple(merging if wanted.merge else dropping)


def _cut(scores: ExpertScores, way: _Way, count: int) -> ExpertCut:
    ranking = scores.ranking(way.ranking)
    return merged(scores.distances, ranking, scores.counts, count) if way.merge else dropped(ranking, count)


def _measured(source: Source, cuts: tuple[ExpertCut, ...]) -> tuple[float, ...]:
    workshop = source.workshop
    text = workshop.calibration_text
    step = MeasureCuts(source.folder, source.digest, text, cuts, workshop.threads, torch_pins())
    return read_measured(workshop.run(step).folder)


def _written(source: Source, cut: ExpertCut) -> Source:
    stored = source.workshop.run(CutExperts(source.workshop.model.facts, source.digest, cut))
    return source_of(stored.folder / MODEL, source)


def _why(ways: tuple[_Way, ...], best: int, distances: tuple[float, ...]) -> str:
    near = f"mean KL {distances[best]:.3g} nats before any healing"
    if len(ways) == 1:
        return f"{ways[best].words}, as asked: {near}"
    return f"{ways[best].words}: the nearest of {len(ways)} ways, {near}"
