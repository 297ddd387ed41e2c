"""How small a model is to become: a share of its parameters, or limits on what a scheme makes of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgeshrink.core.budget import Budget
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import Predictions
from edgeshrink.core.reading import Estimate
from edgeshrink.core.shape import Shape
from edgeshrink.errors import PlanError
from edgeshrink.planning.gguf_size import gguf_file_bytes
from edgeshrink.planning.resolve import Situation, candidate, predicted_fit
from edgeshrink.planning.shrink.shaped import parameters, shaped

_UNALIGNED = KeyValue("general.alignment", "uint32", 1)
_STAND_IN = "tokenizer"


@dataclass(frozen=True, slots=True)
class Goal:
    """All that is set must hold. `share`: of the parameters, embeddings included; the others are limits as a budget has
    them, on the artifact that `scheme` makes."""

    share: float | None = None
    artifact_bytes: float | None = None
    peak_rss_bytes: float | None = None
    decode_tok_s: float | None = None
    ttft_p95_ms: float | None = None
    scheme: str | None = None

    @classmethod
    def of_budget(cls, budget: Budget, scheme: str) -> Goal:
        """The limits of `budget` that a plan can predict."""
        return cls(
            artifact_bytes=_number(budget.artifact_bytes_max),
            peak_rss_bytes=_number(budget.peak_rss_bytes_max),
            decode_tok_s=budget.decode_tok_s_min,
            ttft_p95_ms=budget.ttft_p95_ms_max,
            scheme=scheme,
        )

    @property
    def limits(self) -> tuple[tuple[str, float], ...]:
        """(name, limit) of what is limited beside the share; the names are those of `Predictions`."""
        names = ("artifact_bytes", "peak_rss_bytes", "decode_tok_s", "ttft_p95_ms")
        return tuple((name, value) for name in names if (value := getattr(self, name)) is not None)

    @property
    def budget(self) -> Budget:
        """The same limits as a budget: whole bytes, rounded down."""
        return Budget(
            artifact_bytes_max=_whole(self.artifact_bytes),
            peak_rss_bytes_max=_whole(self.peak_rss_bytes),
            decode_tok_s_min=self.decode_tok_s,
            ttft_p95_ms_max=self.ttft_p95_ms,
        )


def refuse_zeros(goal: Goal, method: str) -> None:
    """PlanError where weights that are set to zero (`method`) cannot bring what is wanted."""
    if goal.decode_tok_s is not None or goal.ttft_p95_ms is not None:
        raise PlanError(
            f"{method} sets weights to zero where they stand, and no runtime here is faster for it",
            hint="a goal of speed needs parts that are gone: prune depth, ffn, heads or hidden",
        )
    if goal.artifact_bytes is not None or goal.peak_rss_bytes is not None:
        raise PlanError(
            f"{method} sets weights to zero where they stand: the file and its memory stay as large as before, "
            "only a compressed download is smaller",
            hint="to fit bytes or memory, prune depth, ffn, heads or hidden",
        )


class Yardstick:
    """Whether shapes of one model meet a goal; what was found once is kept."""

    def __init__(self, facts: ModelFacts, goal: Goal, situation: Situation | None) -> None:
        if goal.share is None and not goal.limits:
            raise PlanError("no goal to prune to", hint="say how much is to be kept (--params 0.67), or a limit")
        if goal.share is not None and not 0 < goal.share < 1:
            raise PlanError(
                f"{goal.share:g} is no share of the parameters to keep", hint="a number between 0 and 1, as 0.67"
            )
        if goal.limits and (situation is None or goal.scheme is None):
            raise PlanError("a limit on bytes or speed needs a target and a scheme to predict them for")
        self._facts, self._goal = facts, goal
        self._situation = None if situation is None else _light(situation)
        self._budget = goal.budget
        self.whole = Shape.of(facts)
        self._total = parameters(facts, self.whole)
        self._known: dict[Shape, str] = {}

    def meets(self, shape: Shape) -> bool:
        return not self.missed(shape)

    def missed(self, shape: Shape) -> str:
        """The first thing of the goal that `shape` misses, in words; "" where it meets it."""
        if shape not in self._known:
            self._known[shape] = self._look(shape)
        return self._known[shape]

    def share(self, shape: Shape) -> float:
        return parameters(self._facts, shape) / self._total

    def predictions(self, shape: Shape) -> Predictions | None:
        """What the goal's scheme makes of `shape`; None where the goal is a share alone."""
        if self._situation is None or self._goal.scheme is None:
            return None
        return candidate(shaped(self._situation, shape), self._goal.scheme).predictions

    def _look(self, shape: Shape) -> str:
        share = self._goal.share
        if share is not None and self.share(shape) > share:
            return f"{self.share(shape):.1%} of the parameters"
        predictions = self.predictions(shape) if self._goal.limits else None
        if predictions is None:
            return ""
        fits, why = predicted_fit(self._budget, predictions)
        if fits is None:
            raise PlanError(f"the goal cannot be predicted: {'; '.join(_unknown(self._goal, predictions))}")
        return "" if fits else why


def _unknown(goal: Goal, predictions: Predictions) -> tuple[str, ...]:
    found = ((name, getattr(predictions, name)) for name, _ in goal.limits)
    return tuple(f"{name}: {value.reason}" for name, value in found if not isinstance(value, Estimate))


def _light(situation: Situation) -> Situation:
    """The same, with the tokenizer's keys as one value of their size: a search adds up the header many times, and a
    vocabulary has a hundred thousand strings."""
    kept = tuple(entry for entry in situation.header if not entry.key.startswith("tokenizer."))
    rest = tuple(entry for entry in situation.header if entry.key.startswith("tokenizer."))
    size = gguf_file_bytes((_UNALIGNED, *rest), ()) - gguf_file_bytes((_UNALIGNED,), ())
    empty = KeyValue(_STAND_IN, "string", b"")
    spare = size - (gguf_file_bytes((_UNALIGNED, empty), ()) - gguf_file_bytes((_UNALIGNED,), ()))
    if spare < 0:
        return situation
    return replace(situation, header=(*kept, KeyValue(_STAND_IN, "string", bytes(spare))))


def _number(value: int | None) -> float | None:
    return None if value is None else float(value)


def _whole(value: float | None) -> int | None:
    return None if value is None else max(int(value), 1)
