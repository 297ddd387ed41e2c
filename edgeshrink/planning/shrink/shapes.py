"""The shapes worth measuring for a goal: each axis alone, and mixes of them, each as large as the goal allows. Pure.

No formula knows what a model loses by which axis, so a few shapes at the corners are found here and measured, as
Muralidharan et al. 2024 do ("Compact Language Models via Pruning and Knowledge Distillation",
https://arxiv.org/abs/2407.14679). Theirs found width, and the feed-forward first, to cost less than depth: that is the
order. A mix shrinks its axes by equal shares.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

from edgeshrink.core.model import ModelFacts
from edgeshrink.core.reading import Estimate
from edgeshrink.core.shape import Shape
from edgeshrink.errors import PlanError
from edgeshrink.planning.resolve import Situation
from edgeshrink.planning.shrink.axes import AXES, Axis, Ruler, rulers, words
from edgeshrink.planning.shrink.goals import Goal, Yardstick
from edgeshrink.planning.shrink.granularity import Granularity

_MIXES: tuple[tuple[Axis, ...], ...] = (
    ("ffn",),
    ("ffn", "heads"),
    ("ffn", "depth"),
    ("ffn", "heads", "depth"),
    ("ffn", "hidden"),
    ("ffn", "heads", "hidden"),
    ("ffn", "heads", "hidden", "depth"),
    ("depth",),
    ("heads",),
    ("hidden",),
    ("heads", "depth"),
    ("hidden", "depth"),
)
# A shape this far below the largest found is cut too deep for want of finer steps: another mix is as good and larger.
_NEAR = 0.9
_STOPS = 128
_LIMITS = {
    "artifact_bytes": "a file of {:,.0f} bytes",
    "peak_rss_bytes": "{:,.0f} bytes of peak RAM",
    "decode_tok_s": "{:,.1f} tokens/s",
    "ttft_p95_ms": "{:,.0f} ms to the first token",
}


def candidate_shapes(
    facts: ModelFacts,
    goal: Goal,
    granularity: Granularity,
    axes: Sequence[Axis] = AXES,
    *,
    situation: Situation | None = None,
    least: float = 0.0,
) -> tuple[Shape, ...]:
    """At most 12 shapes that meet `goal` by shrinking `axes` alone, none of which can grow by a step and still meet it.

    `situation` predicts what a limit needs; none keeps less than the share `least` of the parameters. PlanError where
    the model meets the goal as it is, and where nothing above the floors of the axes does: then it names the least
    that can be kept.
    """
    known = rulers(facts, granularity, axes)
    measure = Yardstick(facts, goal, situation)
    whole = measure.whole
    if measure.meets(whole):
        raise PlanError("the model meets this goal as it is: there is nothing to prune")
    found: dict[Shape, int] = {}
    for mix in _MIXES:
        chosen = [known[axis] for axis in mix if axis in known]
        if len(chosen) < len(mix):
            continue
        shape = _largest(_path(chosen, measure, least), chosen, measure)
        if shape is not None:
            found.setdefault(shape, len(found))
    if not found:
        left = [axis for axis in AXES if axis not in axes]
        raise _unreachable(_path(list(known.values()), measure, least)[-1], goal, measure, left)
    largest = max(measure.share(shape) for shape in found)
    return tuple(shape for shape in found if measure.share(shape) >= _NEAR * largest)


def _largest(path: Sequence[Shape], chosen: Sequence[Ruler], measure: Yardstick) -> Shape | None:
    """The first shape of `path` that meets the goal, grown back by single steps while it does; None: none does."""
    if not measure.meets(path[-1]):
        return None
    return _grown(path[bisect_left(path, True, key=measure.meets)], chosen, measure)


def _path(chosen: Sequence[Ruler], measure: Yardstick, least: float) -> list[Shape]:
    """Shapes from the whole down to all floors, the axes in step, as far as the share `least` of the parameters."""
    whole = measure.whole
    shapes: dict[Shape, None] = {}
    for stop in range(_STOPS):
        shape = whole
        for ruler in chosen:
            shape = ruler.scaled(shape, 1 - stop / _STOPS)
        shapes[shape] = None
    floors = whole
    for ruler in chosen:
        floors = ruler.put(floors, ruler.sizes[-1])
    shapes[floors] = None
    return [shape for shape in shapes if measure.share(shape) >= least]


def _grown(shape: Shape, chosen: Sequence[Ruler], measure: Yardstick) -> Shape:
    """`shape` with every step taken back that the goal leaves room for; the axis that lost most goes first."""
    while True:
        order = sorted(chosen, key=lambda ruler: ruler.share(shape))
        larger = next((next_ for ruler in order for next_ in ruler.above(shape) if measure.meets(next_)), None)
        if larger is None:
            return shape
        shape = larger


def _unreachable(least: Shape, goal: Goal, measure: Yardstick, left: Sequence[Axis]) -> PlanError:
    """`left`: axes that were not to be pruned."""
    kept = f"{measure.share(least):.1%} of the parameters ({words(measure.whole, least)})"
    if goal.share is not None and not goal.limits:
        return PlanError(
            f"pruning to {goal.share:.1%} of the parameters is out of reach: the least that can be kept is {kept}",
            hint=f"ask for {math.ceil(1000 * measure.share(least)) / 1000:.3f} or more"
            + (f", or let more be pruned: {', '.join(left)}" if left else ""),
        )
    predictions = measure.predictions(least)
    nearest = [
        _LIMITS[name].format(value.value)
        for name, _ in goal.limits
        if predictions is not None and isinstance(value := getattr(predictions, name), Estimate)
    ]
    return PlanError(
        f"{goal.scheme}: {measure.missed(least)} even with the least that can be kept, {kept}",
        hint=f"the nearest limits that can be met: {', '.join(nearest)}; or take a scheme of fewer bits",
    )
