"""How a model behaves, slice by slice: every figure with its interval, paired with the reference on the same items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeshrink.core.attribution import Attribution
from edgeshrink.core.fallback import Fallback, FallbackFit
from edgeshrink.core.reading import Measured, Reading, Unmeasured

BEHAVIOUR_SCHEMA = "edgeshrink-behaviour-1"

NO_FALLBACK = Unmeasured("no threshold was fitted")
NOT_ATTRIBUTED = Unmeasured("nobody asked where a loss comes from")


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a slice. `low` and `high` of its readings are 95 % intervals.

    `loss` is how much worse the candidate is than the reference, in `unit`, paired on the same items: above 0 is worse,
    whichever way `better` points. A distance to the reference (a KL divergence) is its own loss, and `reference` is
    Unmeasured. `bounds` is the interval of `loss` at the confidence that gates are judged with (see Confidence); None
    where there is none.
    """

    name: str
    unit: str
    better: Literal["higher", "lower"]
    reference: Reading
    candidate: Reading
    loss: Reading
    bounds: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a slice's items ("depth 25-50 %", "8 tools offered"), by the slice's first metric."""

    name: str
    items: int
    metric: Metric


@dataclass(frozen=True, slots=True)
class Specimen:
    """One item where the candidate lost most, side by side. `loss` is the item's own, in the first metric's unit."""

    item: str
    prompt: str
    expected: str
    reference: str
    candidate: str
    loss: float


@dataclass(frozen=True, slots=True)
class Failures:
    """Of `items` that are done or failed, what both models made of them; the rest both did.

    `inherited`: both fail. `lost`: the reference did it, the candidate fails. `new`: the candidate does it, the
    reference failed.
    """

    items: int
    inherited: int
    lost: int
    new: int


@dataclass(frozen=True, slots=True)
class Slice:
    """One kind of behaviour: `name` ("tools/decision") is what gates call it. The first of `metrics` is the one that is
    gated where no other is named. `chance`: what guessing scores by it; None for a distance. `failures`: None where its
    items are neither done nor failed."""

    name: str
    title: str
    items: int
    chance: float | None
    metrics: tuple[Metric, ...]
    parts: tuple[Part, ...] = ()
    worst: tuple[Specimen, ...] = ()
    notes: tuple[str, ...] = ()
    failures: Failures | None = None

    @property
    def family(self) -> str:
        return self.name.partition("/")[0]

    def metric(self, name: str | None = None) -> Metric | None:
        """The one called `name`; without, the first."""
        return next((metric for metric in self.metrics if name is None or metric.name == name), None)


@dataclass(frozen=True, slots=True)
class Confidence:
    """The error of all gates together: that any of `slices` gates, in any of `looks`, is decided wrongly by noise has
    at most the probability `familywise`. Bonferroni: each interval has the confidence `each`, two-sided."""

    familywise: float
    slices: int
    looks: int

    @property
    def each(self) -> float:
        return 1.0 - self.familywise / (max(self.slices, 1) * max(self.looks, 1))


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a suite found. `seed` makes the same items again; `looks` is how many rounds of items were needed.

    `together`: sets of slices that lost beyond their intervals on the same items, or in the same parts of the model.
    `reference_bytes_per_token`: what the stored reference takes on disk for each scored position.
    """

    schema: str
    suite: str
    seed: int
    reference: str
    looks: int
    items: int
    tokens: int
    confidence: Confidence
    slices: tuple[Slice, ...]
    reference_bytes_per_token: Reading
    together: tuple[tuple[str, ...], ...] = ()
    attributions: tuple[Attribution, ...] | Unmeasured = NOT_ATTRIBUTED
    fallback: FallbackFit | Unmeasured = NO_FALLBACK
    notes: tuple[str, ...] = ()

    def slice(self, name: str) -> Slice | None:
        return next((one for one in self.slices if one.name == name), None)

    @property
    def trusted_fallback(self) -> Fallback | None:
        """The fitted threshold, where the check on other items bore it out."""
        fit = self.fallback
        return fit.fallback if isinstance(fit, FallbackFit) and fit.kept else None

    @property
    def moved(self) -> tuple[Slice, ...]:
        """Slices whose first metric lost more than noise explains, by its 95 % interval; the largest first.

        Distances to the reference, which are never 0, are left out.
        """
        found = []
        for one in self.slices:
            first = one.metric()
            if first is None or not isinstance(first.reference, Measured) or not isinstance(first.loss, Measured):
                continue
            if first.loss.low is not None and first.loss.low > 0:
                found.append((first.loss.value, one))
        return tuple(one for _, one in sorted(found, key=lambda pair: -pair[0]))
