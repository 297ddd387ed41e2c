"""Cut a model to a shape: score it, measure the shapes that the planner thinks worth it, and keep the nearest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.catalog.texts import Text
from edgeshrink.compress.prune.interface import METHODS, DepthMethod
from edgeshrink.compress.prune.scores import read_scores
from edgeshrink.compress.prune.selecting import cut_of
from edgeshrink.compress.prune.sparsifying import SparseMethod
from edgeshrink.core.shape import Shape
from edgeshrink.core.shrinking import PruningTold
from edgeshrink.engine.shrink.source import Source, source_of, torch_pins
from edgeshrink.engine.steps.cutting import MODEL, CutModel, SparsifyModel, sparsified
from edgeshrink.engine.steps.measuring_cuts import MeasureCuts, read_measured
from edgeshrink.engine.steps.scoring import ScoreModel
from edgeshrink.planning.shrink.axes import AXES, Axis, told, words
from edgeshrink.planning.shrink.shaped import parameters

WANDA = "wanda"
_BY_AXIS: dict[Axis, str] = {"depth": "block-influence", "ffn": "ffn", "heads": "heads", "hidden": "hidden"}


@dataclass(frozen=True, slots=True)
class Pruned:
    """A smaller model, and how it was cut out of the one before. `zeros`: share of its parameters that are 0."""

    source: Source
    told: PruningTold
    zeros: float = 0.0


def axes_of(methods: Sequence[str]) -> tuple[Axis, ...]:
    """What structured `methods` cut; every axis where none is named."""
    named = {METHODS[name].axis for name in methods}
    return tuple(axis for axis in AXES if axis in named) if methods else AXES


def cut_to(source: Source, shapes: Sequence[Shape], methods: Sequence[str], text: Text) -> Pruned:
    """Of `shapes`, the one that stands nearest to `source` on the calibration text before any healing."""
    workshop, before = source.workshop, source.brief().shape
    facts = workshop.model.facts
    depth: DepthMethod = "measured-kl" if "measured-kl" in methods else "block-influence"
    needed = tuple(dict.fromkeys((*_BY_AXIS.values(), depth)))
    stored = workshop.run(ScoreModel(source.folder, source.digest, text, needed, workshop.threads, torch_pins()))
    scores = read_scores(stored.folder)
    cuts = tuple(cut_of(scores, shape, before, depth=depth) for shape in shapes)
    looked = MeasureCuts(source.folder, source.digest, text, cuts, workshop.threads, torch_pins())
    measured = read_measured(workshop.run(looked).folder)
    best = min(range(len(cuts)), key=lambda index: measured[index])
    made = workshop.run(CutModel(facts, source.digest, cuts[best]))
    whole = parameters(facts, before)
    considered = tuple(
        (words(before, shape), parameters(facts, shape) / whole, kl) for shape, kl in zip(shapes, measured, strict=True)
    )
    pruned = PruningTold(
        methods=_used(before, shapes[best], depth),
        axes=told(before, shapes[best]),
        kept_layers=cuts[best].layers,
        calibration=text.name,
        calibration_sha256=text.sha256,
        calibration_tokens=scores.tokens,
        why=_why(words(before, shapes[best]), len(shapes), measured[best]),
        considered=considered,
    )
    return Pruned(source_of(made.folder / MODEL, source), pruned)


def zeroed(source: Source, method: SparseMethod, zeros: float, text: Text) -> Pruned:
    """The same model with `zeros` of the weights of its blocks set to 0."""
    workshop = source.workshop
    scores: tuple[Path, str] | None = None
    tokens = 0
    if method == WANDA:
        stored = workshop.run(ScoreModel(source.folder, source.digest, text, (WANDA,), workshop.threads, torch_pins()))
        scores = stored.folder, stored.digest
        tokens = read_scores(stored.folder).tokens
    made = workshop.run(SparsifyModel(workshop.model.facts, source.digest, method, zeros, scores))
    found = sparsified(made.folder)
    shape = source.brief().shape
    pruned = PruningTold(
        methods=(method,),
        axes=(),
        kept_layers=tuple(range(shape.layers)),
        calibration=text.name if tokens else "",
        calibration_sha256=text.sha256 if tokens else "",
        calibration_tokens=tokens,
        why=f"{found['zeros']:.0%} of all parameters are 0",
        runtime_faster=False,
        warning="zeros strewn among the weights make no runtime faster and no file smaller: only a compressed download "
        f"is ({found['file_bytes']:,} bytes, zipped {found['zip_bytes']:,})",
    )
    return Pruned(source_of(made.folder / MODEL, source), pruned, found["zeros"])


def _used(before: Shape, after: Shape, depth: DepthMethod) -> tuple[str, ...]:
    """Names of the methods that decided what went."""
    changed = {
        "depth": before.layers != after.layers,
        "ffn": before.ffn != after.ffn,
        "heads": before.kv_heads != after.kv_heads,
        "hidden": before.hidden != after.hidden,
    }
    return tuple(depth if axis == "depth" else _BY_AXIS[axis] for axis in AXES if changed[axis])


def _why(cut: str, measured: int, kl: float) -> str:
    if measured == 1:
        return f"{cut}: mean KL {kl:.3g} nats before healing"
    return f"{cut}: of {measured} shapes the nearest to the whole model, mean KL {kl:.3g} nats before healing"
