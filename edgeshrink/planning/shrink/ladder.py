"""Which smaller model to try after no quantization of the given one holds its budget and its floor together. Pure.

The order of operations: lower bits have been tried; now prune lightly, that is, the largest share of the model with
the fewest bits that leave the floor room, heal, and look again. Where that fails, either the bits or the pruning cost
more, and the next attempt gives way on that side: more bits on less of the model, or fewer bits on more of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeshrink.core.plan import Candidate
from edgeshrink.core.shape import Shape
from edgeshrink.errors import PlanError
from edgeshrink.planning.resolve import Situation, candidates, preferred_scheme
from edgeshrink.planning.shrink.axes import AXES, Axis, words
from edgeshrink.planning.shrink.corrected import corrected_goal
from edgeshrink.planning.shrink.distances import Distances
from edgeshrink.planning.shrink.granularity import block, granularity
from edgeshrink.planning.shrink.nearest import nearest_budget
from edgeshrink.planning.shrink.shaped import parameters
from edgeshrink.planning.shrink.shapes import candidate_shapes
from edgeshrink.planning.shrink.tried import Tried

__all__ = ["Attempt", "Refusal", "Tried", "following_attempt"]

# Training a student costs minutes to hours: another attempt must differ by at least this share of the parameters.
_WORTH = 0.05
# Below this share of the parameters a student is another model, and no light pruning.
LEAST_SHARE = 0.25
# How much of the floor bits alone may use up where pruning and healing shall have room beside them.
_ROOM = 0.5


@dataclass(frozen=True, slots=True)
class Attempt:
    """A model to make and to quantize to `scheme`: one of `shapes`, whichever loses least before it is healed."""

    scheme: str
    shapes: tuple[Shape, ...]
    why: str

    @property
    def shape(self) -> Shape:
        return self.shapes[0]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing is left to try. `nearest`: the budget that would have worked, in words; "" where none is known."""

    why: str
    nearest: str


def following_attempt(
    situation: Situation,
    tried: Sequence[Tried],
    *,
    axes: Sequence[Axis] = AXES,
    limit: int = 3,
    least: float = LEAST_SHARE,
) -> Attempt | Refusal:
    """The next attempt after those `tried`, none of which holds everything; at most `limit` of them, and none that
    keeps less than the share `least` of the parameters.

    `tried`: first the rungs of plain quantization, whose shape is the whole model's, then every attempt with what came
    of it, in order. The budget is that of `situation.profile`.
    """
    if situation.facts.source.kind != "huggingface":
        return Refusal("a GGUF cannot be made smaller: the Hugging Face folder that it was made of can", "")
    search = _Search(situation, tried, tuple(axes), least)
    shrunk = search.shrunk
    if len(shrunk) >= limit:
        return search.refusal("no smaller model that was made holds the budget and its floor together")
    if not search.options:
        return search.refusal(search.no_option())
    if not shrunk:
        return search.first()
    last = shrunk[-1]
    if last.quality is False:
        return search.other_side(last)
    if last.fits is False:
        return search.smaller(last)
    if last.quality and last.fits:
        return search.refusal(f"{last.scheme} of the smaller model holds the budget and its floor, and did not pay")
    return search.refusal(f"{last.scheme} of the smaller model could not be judged")


class _Search:
    """What is known so far, and where one can go from it."""

    def __init__(self, situation: Situation, tried: Sequence[Tried], axes: tuple[Axis, ...], least: float) -> None:
        self._situation, self._tried, self._axes, self._least = situation, tried, axes, least
        facts = situation.facts
        self.whole = Shape.of(facts)
        self._total = parameters(facts, self.whole)
        self._ladder = candidates(situation)
        self.shrunk = [one for one in tried if one.shape != self.whole]
        self._plain = {one.scheme: one for one in tried if one.shape == self.whole}
        bits = {rung.scheme: rung.bits_per_weight for rung in self._ladder}
        self._distances = Distances(bits, self._plain.values(), situation.profile.budget.quality.mean_kl_max)
        # From fewest bits, that is from the largest share of the model, to most.
        self.options = sorted(
            (rung for rung in self._ladder if self._open(rung)), key=lambda rung: rung.bits_per_weight
        )

    def first(self) -> Attempt | Refusal:
        """The fewest bits that leave room beside them; failing those, others from there on upwards, then down."""
        start = self._start()
        for rung in (*self.options[start:], *reversed(self.options[:start])):
            shapes = () if self._distances.hopeless(rung.scheme) else self._shapes(rung.scheme)
            if shapes:
                return Attempt(rung.scheme, shapes, self._why_first(rung, shapes[0]))
        return self.refusal(
            f"no smaller shape of at least {self._least:.0%} of the parameters fits the budget with a scheme that "
            "could hold the floor"
        )

    def smaller(self, last: Tried) -> Attempt | Refusal:
        """The same scheme again, with what was predicted put right by what was measured."""
        shapes = self._shapes(last.scheme)
        less = tuple(shape for shape in shapes if self._share(shape) < self._share(last.shape))
        if not less:
            return self.refusal(f"{last.scheme} of {words(self.whole, last.shape)} is over the budget as measured")
        return Attempt(last.scheme, less, f"{words(self.whole, last.shape)} was over the budget as measured")

    def other_side(self, last: Tried) -> Attempt | Refusal:
        """More bits on less of the model where bits cost more than pruning did; else fewer bits on more of it."""
        pruned = self._distances.of_pruning(last)
        bits = self._distances.of_bits(last.scheme)
        up = pruned is not None and bits is not None and bits > pruned
        names = [rung.scheme for rung in self.options]
        at = names.index(last.scheme) if last.scheme in names else 0
        for rung in self.options[at + 1 :] if up else reversed(self.options[:at]):
            shapes = () if self._distances.hopeless(rung.scheme) else self._shapes(rung.scheme)
            if shapes and self._differs(shapes[0]):
                told = f"{last.scheme} of {words(self.whole, last.shape)} fails the floor"
                if pruned is not None and bits is not None:
                    told += f": about {pruned:.3f} nats by pruning, {bits:.3f} by bits"
                return Attempt(rung.scheme, shapes, f"{told}; so {'more bits on less' if up else 'fewer bits on more'}")
        side = "more bits on less" if up else "fewer bits on more"
        return self.refusal(
            f"{last.scheme} of {words(self.whole, last.shape)} fails the floor, and {side} is no option"
        )

    def refusal(self, why: str) -> Refusal:
        return Refusal(why, nearest_budget(self._situation, self._ladder, self._tried, self._distances))

    def no_option(self) -> str:
        if all(self._fits(rung) for rung in self._ladder):
            return "the budget has room for every scheme, and the floor fails: a smaller model would not mend it"
        return "every scheme that is over the budget fails the floor by itself: a smaller model would not mend it"

    def _open(self, rung: Candidate) -> bool:
        """Whether less of the model could help: the whole does not fit, and nobody saw it fail the floor."""
        plain = self._plain.get(rung.scheme)
        return not self._fits(rung) and not (plain is not None and plain.quality is False)

    def _fits(self, rung: Candidate) -> bool:
        plain = self._plain.get(rung.scheme)
        return rung.fits is not False and not (plain is not None and plain.fits is False)

    def _start(self) -> int:
        """The place in the options where to begin."""
        names = [rung.scheme for rung in self.options]
        roomy = [place for place, name in enumerate(names) if self._distances.leaves(name, _ROOM)]
        passed = [place for place, name in enumerate(names) if self._passed(name)]
        if roomy or passed:
            return (roomy or passed)[0]
        preferred = preferred_scheme(self._situation, self._ladder)
        return names.index(preferred) if preferred in names else len(names) - 1

    def _passed(self, scheme: str) -> bool:
        return scheme in self._plain and self._plain[scheme].quality is True

    def _why_first(self, rung: Candidate, shape: Shape) -> str:
        if self._passed(rung.scheme):
            reason = "holds the floor with the whole model"
        elif self._distances.leaves(rung.scheme, _ROOM):
            reason = "by estimate leaves half of the floor to pruning"
        else:
            reason = "is the next that could hold the floor"
        return f"{rung.scheme} {reason}, and fits with {self._share(shape):.0%} of the parameters"

    def _differs(self, shape: Shape) -> bool:
        share = self._share(shape)
        return all(abs(share - self._share(one.shape)) >= _WORTH * share for one in self.shrunk)

    def _shapes(self, scheme: str) -> tuple[Shape, ...]:
        """What fits the budget with `scheme`; () where nothing does."""
        steps = granularity(self._situation.facts, block(self._situation, (scheme,)))
        try:
            return candidate_shapes(
                self._situation.facts,
                corrected_goal(self._situation, self._tried, scheme),
                steps,
                self._axes,
                situation=self._situation,
                least=self._least,
            )
        except PlanError:
            return ()

    def _share(self, shape: Shape) -> float:
        return parameters(self._situation.facts, shape) / self._total
