"""Find the smallest network that holds the quality floor: more layers in float first, then the next scheme."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgeshrink.core.delegation import Delegation
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.quality import LayerError, NetworkQuality
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.report import Rung
from edgeshrink.core.verdict import Verdict
from edgeshrink.engine.artifacts import Finished
from edgeshrink.engine.networks.recipe import Recipe
from edgeshrink.engine.networks.workshop import NetworkWorkshop
from edgeshrink.errors import UnsupportedModel
from edgeshrink.evaluate.network import MENDED_BY_BITS
from edgeshrink.judging.judge import judge, output_lines


@dataclass(frozen=True, slots=True)
class Tried:
    """One file that was made, what it is worth and what decided the next move."""

    recipe: Recipe
    artifact: Finished
    delegation: Delegation
    quality: NetworkQuality | Unmeasured
    measurements: Measurements | Unmeasured
    verdict: Verdict
    rung: Rung


def search(workshop: NetworkWorkshop) -> tuple[Tried, ...]:
    """Everything that was tried; the last one is the result.

    UnsupportedModel where no scheme of the ladder can be made.
    """
    situation = workshop.situation
    schemes = situation.ladder[situation.ladder.index(situation.start) :]
    tried: list[Tried] = []
    layers: tuple[LayerError, ...] | None = None
    recipe = workshop.recipe(schemes[0])
    while True:
        above = schemes[schemes.index(recipe.scheme) + 1 :]
        try:
            artifact = workshop.artifact(recipe)
        except UnsupportedModel as error:
            if not above:
                raise
            workshop.notes.append(f"{recipe.scheme} was left out: {error.message}")
            recipe, layers = workshop.recipe(above[0]), None
            continue
        marked = tuple(replace(layer, kept_float=layer.name in recipe.keep) for layer in layers or ())
        quality = workshop.quality(recipe, artifact, marked)
        lacking = _lacking(workshop, quality)
        if lacking and recipe.scheme.startswith("int8") and layers is None:
            layers = workshop.layers(recipe)
        following = _next(workshop, recipe, layers or (), above) if lacking else None
        why = _why(quality, lacking, following, recipe)
        tried.append(_tried(workshop, recipe, artifact, quality, why, last=following is None))
        if following is None:
            return tuple(tried)
        if following.scheme != recipe.scheme:
            layers = None
        recipe = following


def _lacking(workshop: NetworkWorkshop, quality: NetworkQuality | Unmeasured) -> tuple[str, ...]:
    """What more bits could mend: lines of the quality floor, and outputs that make no sense."""
    if isinstance(quality, Unmeasured) or any(check.name not in MENDED_BY_BITS for check in quality.failed_checks):
        return ()
    floor = output_lines(workshop.situation.profile.budget, quality)
    return (*(check.name for check in quality.failed_checks), *(line.name for line in floor if line.outcome == "FAIL"))


def _next(
    workshop: NetworkWorkshop, recipe: Recipe, layers: tuple[LayerError, ...], above: tuple[str, ...]
) -> Recipe | None:
    """Twice as many layers in float, the worst first; from half of them on, the scheme above, if there is one."""
    keep = max(1, 2 * len(recipe.keep))
    if not above and len(recipe.keep) < len(layers):
        keep = min(keep, len(layers))
    if keep <= len(layers) // (2 if above else 1) and keep > len(recipe.keep):
        return replace(recipe, keep=tuple(layer.name for layer in layers[:keep]))
    return workshop.recipe(above[0]) if above else None


def _why(
    quality: NetworkQuality | Unmeasured, lacking: tuple[str, ...], following: Recipe | None, recipe: Recipe
) -> str:
    if isinstance(quality, Unmeasured):
        return quality.reason
    if not lacking:
        return "a check failed, which no other scheme would mend" if quality.failed_checks else "quality holds"
    named = ", ".join(lacking)
    if following is None:
        return f"{named} under the floor on the highest rung"
    if following.scheme == recipe.scheme:
        return f"{named} under the floor: {len(following.keep)} sensitive layers stay float"
    return f"{named} under the floor: {following.scheme} is next"


def _tried(
    workshop: NetworkWorkshop,
    recipe: Recipe,
    artifact: Finished,
    quality: NetworkQuality | Unmeasured,
    why: str,
    *,
    last: bool,
) -> Tried:
    situation = workshop.situation
    measured = workshop.measurements(recipe, artifact) if last else Unmeasured(why)
    verdict = judge(
        situation.profile.budget,
        artifact_bytes=artifact.nbytes,
        measurements=workshop.place.countable(measured),
        quality=quality,
        predictions=situation.predictions(recipe.scheme),
        delegate=None if isinstance(measured, Unmeasured) and not situation.request.delegate else situation.delegate,
        network=True,
    )
    kept = f", {len(recipe.keep)} layers float" if recipe.keep else ""
    rung = Rung(
        scheme=f"{recipe.scheme}{kept}",
        artifact_bytes=artifact.nbytes,
        mean_kl=None,
        same_top_share=quality if isinstance(quality, Unmeasured) else quality.same_top_share,
        perplexity_ratio=None,
        outcome=verdict.outcome,
        move=f"{'stop' if last else 'on'}: {why}",
        cosine=quality if isinstance(quality, Unmeasured) else quality.cosine_mean,
    )
    return Tried(recipe, artifact, workshop.delegation(recipe, artifact), quality, measured, verdict, rung)
