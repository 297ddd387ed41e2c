"""What a training run is told, and what it tells: settings, the points of its curve, and its record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

ObjectiveName = Literal["logits", "hidden", "sequence", "text", "grid", "preference", "tool-policy"]
PreferenceLoss = Literal["dpo", "ipo"]
Divergence = Literal["forward", "reverse", "skew-forward", "skew-reverse", "jsd"]
OptimizerName = Literal["adamw", "muon"]
Parallel = Literal["ddp", "fsdp"]
Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True, slots=True)
class ObjectiveSettings:
    """What is minimized: `kind` names a file of `compress/distill/objectives`.

    logits: `divergence` between teacher and student at `temperature`, mixed with `cross_entropy` (0 to 1) of the text
    itself; from a cache of the teacher where `cached`. `skew`: how much of the other distribution is mixed in (Ko et
    al. 2024, DistiLLM); of jsd the weight of the teacher (Agarwal et al. 2023, GKD). `on_policy`: share of the steps
    whose text the student writes itself. hidden: `layers` maps (student, teacher) layers, () spreads them evenly;
    `relations` adds attention relations (Wang et al. 2020, MiniLMv2). text: the given text itself. grid: as logits, of
    a student whose weights and activations are rounded as the file's runtime has them. preference: `preference_loss`
    with `beta` of pairs, the teacher as reference, and `anchor` times the divergence to it on what was chosen.
    tool-policy: as logits on the answers, and the text itself at the tokens that decide, `decision_weight` times as
    heavy (1 to 254).
    """

    kind: ObjectiveName = "logits"
    divergence: Divergence = "forward"
    temperature: float = 1.0
    cross_entropy: float = 0.0
    skew: float = 0.1
    cached: bool = False
    on_policy: float = 0.0
    layers: tuple[tuple[int, int], ...] = ()
    relations: bool = True
    hidden_weight: float = 1.0
    preference_loss: PreferenceLoss = "dpo"
    beta: float = 0.1
    anchor: float = 5.0
    decision_weight: int = 8


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """Low-rank updates beside frozen matrices: W + alpha / rank * B A (Hu et al. 2021, arXiv:2106.09685).

    `targets`: names of linear layers as transformers has them (q_proj, down_proj); () is every one of the decoder.
    `scheme`: what the frozen base is rounded to first (GGUF; Dettmers et al. 2023, QLoRA), None: not at all. `merged`:
    the update goes into the weights in the end; else it stays an adapter beside its base.
    """

    rank: int = 8
    alpha: float = 16.0
    targets: tuple[str, ...] = ()
    scheme: str | None = None
    merged: bool = False


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How long and how fast. Exactly one of `steps` and `minutes` is given; minutes become steps once the speed of the
    first ones is known, and stay so when the run goes on.

    `batch_tokens`: tokens a step over all workers; `micro_rows`: rows at once on one worker, None: what fits. `rate`:
    of AdamW; None: 1e-3 below 50 million parameters, falling with the square root of the size above, times what the
    form of the training is used to (five for low-rank updates). The rate warms up over `warmup` steps and falls in a
    line to `floor` of itself over the last `fall` of the run.
    """

    steps: int | None = None
    minutes: float | None = None
    batch_tokens: int = 4096
    length: int = 256
    micro_rows: int | None = None
    optimizer: OptimizerName = "adamw"
    rate: float | None = None
    weight_decay: float = 0.01
    warmup: int = 20
    fall: float = 0.8
    floor: float = 0.0
    clip: float = 1.0
    seed: int = 0
    precision: Precision = "auto"
    parallel: Parallel = "ddp"
    log_every: int = 10
    held_out_every: int = 50
    save_every: int = 50


@dataclass(frozen=True, slots=True)
class TextSource:
    """One file or folder that was trained on. `license` None: nothing was found that says one."""

    name: str
    sha256: str
    nbytes: int
    documents: int
    tokens: int
    license: str | None


@dataclass(frozen=True, slots=True)
class Point:
    """One entry of a run's log. `loss` is the objective's mean over the steps since the last entry, nats a token."""

    step: int
    tokens: int
    seconds: float
    loss: float
    rate: float
    tokens_s: float
    parts: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class HeldOutPoint:
    """Held-out rows: `objective` as trained, `cross_entropy` of the text itself, nats a token; `bits_per_byte` of it,
    None where the bytes of a token are not known."""

    step: int
    objective: float
    cross_entropy: float
    bits_per_byte: float | None


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One look of the suite at the student during a run: which gates failed, and how it stood."""

    step: int
    outcome: Literal["PASS", "FAIL", "UNKNOWN"]
    failed: tuple[str, ...]
    worst: str
    mean_kl: float | None


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """One run, whole or so far. `resumed`: how often it went on after an end. `stopped`: why it ended."""

    objective: ObjectiveSettings
    settings: TrainingSettings
    planned_steps: int
    steps: int
    tokens: int
    seconds: float
    tokens_s: float
    workers: int
    device: str
    resumed: int
    sources: tuple[TextSource, ...]
    points: tuple[Point, ...]
    held_out: tuple[HeldOutPoint, ...]
    checks: tuple[GateCheck, ...] = ()
    stopped: str = ""
    notes: tuple[str, ...] = ()
    cache_bytes_per_token: float | None = None


def settings_json(settings: ObjectiveSettings | TrainingSettings) -> dict[str, Any]:
    """All fields, as JSON values: part of a step's key and of its record."""
    from dataclasses import asdict

    return {name: list(map(list, value)) if name == "layers" else value for name, value in asdict(settings).items()}
