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
from edgeshrink.engine.networks.steps import Recipe
from edgeshrink.engine.networks.workshop import NetworkWorkshop
from edgeshrink.errors import UnsupportedModel
from edgeshrink.evaluate.network import RESEMBLANCE
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
    """Everything that was tried; the last one is the result."""
    situation = workshop.situation
    tried: list[Tried] = []
    layers: tuple[LayerError, ...] = ()
    schemes = situation.ladder[situation.ladder.index(situation.start) :]
    recipe = workshop.recipe(schemes[0])
    while True:
        try:
            artifact = workshop.artifact(recipe)
        except UnsupportedModel as error:
            above = schemes[schemes.index(recipe.scheme) + 1 :]
            if not above:
                raise
            workshop.notes.append(f"{recipe.scheme} was left out: {error.message}")
            recipe = workshop.recipe(above[0])
            continue
        marked = tuple(replace(layer, kept_float=layer.name in recipe.keep) for layer in layers)
        quality = workshop.quality(recipe, artifact, marked)
        following, why = _next(workshop, recipe, quality, schemes, layers)
        if following is not None and recipe.scheme.startswith("int8") and not layers:
            layers = workshop.layers(recipe)
            following, why = _next(workshop, recipe, quality, schemes, layers)
        tried.append(_tried(workshop, recipe, artifact, quality, why, last=following is None))
        if following is None:
            return tuple(tried)
        if following.scheme != recipe.scheme:
            layers = ()
        recipe = following


def _next(
    workshop: NetworkWorkshop,
    recipe: Recipe,
    quality: NetworkQuality | Unmeasured,
    schemes: tuple[str, ...],
    layers: tuple[LayerError, ...],
) -> tuple[Recipe | None, str]:
    """The recipe to try next, and why; None: stop here.

    The number of layers in float doubles until the floor holds; beyond half of them nothing is won by quantizing.
    """
    if isinstance(quality, Unmeasured):
        return None, quality.reason
    if any(check.name != RESEMBLANCE for check in quality.failed_checks):
        return None, "a check failed, which no other scheme would mend"
    floor = output_lines(workshop.situation.profile.budget, quality)
    failed = [line.name for line in floor if line.outcome == "FAIL"]
    if not failed:
        return None, "quality holds"
    keep = max(1, 2 * len(recipe.keep))
    if recipe.scheme.startswith("int8") and (not layers or keep <= len(layers) // 2):
        worst = tuple(layer.name for layer in layers[:keep])
        return replace(recipe, keep=worst), f"{', '.join(failed)} under the floor: {keep} sensitive layers stay float"
    above = schemes.index(recipe.scheme) + 1
    if above < len(schemes):
        return workshop.recipe(schemes[above]), f"{', '.join(failed)} under the floor with half of the layers in float"
    return None, f"{', '.join(failed)} under the floor on the highest rung"


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
        measurements=measured,
        quality=quality,
        predictions=situation.predictions(recipe.scheme),
        delegate=situation.delegate,
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
