"""What a person asks of `prune` and `distill`, with nothing resolved yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edgeshrink.core.request import Request
from edgeshrink.core.training import LoraSettings, ObjectiveSettings, TrainingSettings

Learn = Literal["all", "answers"]
Trains = Literal["all", "routers"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """What a teacher writes for its student to learn: `samples` answers a prompt, drawn at `temperature`, of at most
    `max_tokens`; `scorer` names what accepts them where a prompt does not say it itself. Answers of fewer or more words
    are dropped, and those of a perplexity a token above `perplexity_max`, under the model `perplexity_of`."""

    prompts: tuple[Path, ...] = ()
    samples: int = 1
    temperature: float = 0.7
    max_tokens: int = 256
    scorer: str | None = None
    perplexity_max: float | None = None
    perplexity_of: Literal["teacher", "student"] = "teacher"
    fewest_words: int = 1
    most_words: int | None = None


@dataclass(frozen=True, slots=True)
class Teaching:
    """How a student is trained. `data` empty: the teacher writes `tokens` of text itself.

    `learn` "answers": only what the assistant says in a chat counts. `tokens`: of the corpus; None: what the run needs.
    `check_every`: steps between two looks of the suite; None: at the end alone. `lora`: only low-rank updates are
    trained. `scheme` of a file of `format`: the grid of objective grid. `trains` "routers": of a mixture of experts
    only who is sent where, and the norms.
    """

    data: tuple[Path, ...] = ()
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    objective: ObjectiveSettings = field(default_factory=ObjectiveSettings)
    sampling: Sampling | None = None
    learn: Learn = "all"
    tokens: int | None = None
    held_out: float = 0.01
    check_every: int | None = None
    lora: LoraSettings | None = None
    scheme: str | None = None
    format: str = "gguf"
    trains: Trains = "all"


@dataclass(frozen=True, slots=True)
class ExpertsWanted:
    """What a mixture of experts keeps: `count` experts a layer, of the width `ffn`; None: all, as they are.

    `ranking`: a name of `compress.prune.experts.scores.RANKINGS`; `merge`: those that go are averaged into those they
    are most like. None: what stands nearest to the model before any healing.
    """

    count: int | None = None
    ffn: int | None = None
    ranking: str | None = None
    merge: bool | None = None


@dataclass(frozen=True, slots=True)
class PruneRequest:
    """`request` names the model, the suite, the target and where the result goes.

    One goal: `share` of the parameters that is kept, embeddings included; or what the device allows of `scheme`.
    `methods`: names of `compress.prune.interface`; () lets the planner choose. `teaching` heals after each of the
    `cycles`; None: one cut and no healing. `experts`: a goal of its own, of a mixture of experts; `scheme` is then the
    quantization that the result is looked at in, last of all.
    """

    request: Request
    share: float | None = None
    artifact_bytes: int | None = None
    peak_rss_bytes: int | None = None
    decode_tok_s: float | None = None
    scheme: str | None = None
    methods: tuple[str, ...] = ()
    cycles: int = 1
    teaching: Teaching | None = None
    command: tuple[str, ...] = ()
    experts: ExpertsWanted | None = None


@dataclass(frozen=True, slots=True)
class DistillRequest:
    """`request` names the teacher, the suite and where the result goes; `student` a folder or hub id."""

    request: Request
    student: str
    teaching: Teaching
    command: tuple[str, ...] = ()
