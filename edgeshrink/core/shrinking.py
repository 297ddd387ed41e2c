"""A smaller model: what a step made of a larger one, what that cost, and whether it was kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.reading import Reading
from edgeshrink.core.shape import Shape
from edgeshrink.core.training import TrainingRecord

SHRINK_SCHEMA = "edgeshrink-shrink-1"
STEP_FILE = "edgeshrink-step.json"
"""Beside config.json in the folder that a step wrote."""

StepKind = Literal["prune", "distill"]


@dataclass(frozen=True, slots=True)
class ModelBrief:
    """A model folder: `digest` as SourceSummary has it; `nbytes` of its weights; `zeros`: share of them that are 0."""

    name: str
    digest: str
    model_type: str
    shape: Shape
    parameters: int
    nbytes: int
    license: str | None
    zeros: float = 0.0


@dataclass(frozen=True, slots=True)
class PruningTold:
    """How a model was cut: `methods` by name, `axes` as (name, before, after), and why this shape.

    `kept_layers` are those of the model before. `runtime_faster` is False where zeros only make a smaller download:
    `warning` says so.
    """

    methods: tuple[str, ...]
    axes: tuple[tuple[str, int, int], ...]
    kept_layers: tuple[int, ...]
    calibration: str
    calibration_sha256: str
    calibration_tokens: int
    why: str
    runtime_faster: bool = True
    warning: str = ""
    considered: tuple[tuple[str, float, float], ...] = ()
    """Shapes that were measured: (words, share of the parameters kept, mean KL before any healing, nats)."""


@dataclass(frozen=True, slots=True)
class SliceFailures:
    """Items of one slice that teacher and student were both asked. Shares of `items` add up to 1 with what both did.

    `inherited`: both fail. `lost`: the teacher did it, the student does not. `new`: the student does it, the teacher
    did not.
    """

    slice: str
    items: int
    inherited: int
    lost: int
    new: int


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a training was for, counted on held-out items: `before`, `after` and the teacher (None: not asked), of
    `items`. `low_is_better` for errors. `name` is short ("too eager"), `what` a sentence."""

    name: str
    what: str
    items: int
    before: int
    after: int
    teacher: int | None = None
    low_is_better: bool = False


@dataclass(frozen=True, slots=True)
class ShrinkStep:
    """One step: `before` -> `after`. `behaviour`: `after` against the `teacher`. `kept` None: nobody judged it; `why`
    says what decided."""

    schema: str
    version: str
    kind: StepKind
    title: str
    before: ModelBrief
    after: ModelBrief
    teacher: ModelBrief
    pruning: PruningTold | None
    training: TrainingRecord | None
    behaviour: Behaviour | None
    failures: tuple[SliceFailures, ...]
    seconds: float
    command: tuple[str, ...] = ()
    kept: bool | None = None
    why: str = ""
    notes: tuple[str, ...] = ()
    learnt: tuple[Learnt, ...] = ()
    stages: tuple[ShrinkRung, ...] = ()
    """Where a step went through several, each looked at: what every one of them left."""


@dataclass(frozen=True, slots=True)
class ShrinkRung:
    """A row of the table of steps: what it cost and what it bought, quantized to `scheme` as it would ship.

    `score` is what keeps or refuses it (`judging.paid`): lower is better.
    """

    title: str
    scheme: str
    parameters: int
    artifact_bytes: int
    seconds: float
    tokens: int
    mean_kl: Reading
    gates_failed: int | None
    score: float | None
    fits: bool | None
    kept: bool
    why: str


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """All of it in a build: the steps in order, the rows of the table, and the row of plain quantization at most as
    large. `refusal`: why nothing smaller could be made; `nearest`: the budget that would have worked, in words."""

    steps: tuple[ShrinkStep, ...]
    rungs: tuple[ShrinkRung, ...]
    refusal: str = ""
    nearest: str = ""

    @property
    def student(self) -> ModelBrief | None:
        """The smaller model that the artifact was made from; None where nothing smaller held."""
        return self.steps[-1].after if self.rungs and self.rungs[-1].kept and not self.refusal else None
