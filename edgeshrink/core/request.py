"""What the person asked for: the command line, or the arguments of the Python API, with nothing resolved yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edgeshrink.core.session import SessionOptions

Shrink = Literal["auto", "never"]
ExpertTypes = Literal["mix", "usage"]
HEAL_MINUTES = 20.0


@dataclass(frozen=True, slots=True)
class Request:
    """`model` None means the demo model that ships with the package; `scheme` None means: walk the ladder.

    `format` is one format's name, "all" for every one that the target lists, or None for the target's first.
    `scheme` is a scheme's own name (Q4_K_M), a width (float, 8bit, 4bit), or names for single formats
    ("gguf=Q4_K_M,onnx=int4"). `delegate` None means the first that the target lists.
    """

    model: str | None = None
    target: str = "laptop-cpu"
    profile: str | None = None
    format: str | None = None
    scheme: str | None = None
    delegate: str | None = None
    tensor_types: tuple[tuple[str, str], ...] = ()
    imatrix: str = "default"  # a file, "auto", "none", or "default": auto below 5 bits per weight
    calibration: Path | None = None
    context: int | None = None
    out: Path | None = None
    offline: bool = False
    revision: str | None = None
    """Which commit or branch of a hub model; None: its newest."""
    locked: bool = False
    """Refuse a build that is not, in every input and in the artifact's bytes, the one that `lock` pins."""
    lock: Path | None = None
    """None: the `edgeshrink.lock` in the output folder."""
    remeasure: bool = False
    gpu_layers: int = 0
    threads: int | None = None
    device: str | None = None
    """Where to measure: an address as `parse_address` reads it; None: here, through the Python runtime."""
    session: SessionOptions = field(default_factory=SessionOptions)
    suite: str | None = None
    """The behaviour suite: quick, standard, full, a file, several joined by commas, or none. None: EDGESHRINK_SUITE in
    the environment, else standard."""
    gates: tuple[str, ...] = ()
    """Gates in the words of `--gate`; they go before the profile's."""
    seed: int = 0
    """Of the suite's items: another seed asks other items."""
    shrink: Shrink | None = None
    """Whether a build for which no quantization fits may prune and heal the model. None: EDGESHRINK_SHRINK in the
    environment, else auto."""
    data: tuple[Path, ...] = ()
    """Text to heal a pruned model with; () lets the model write its own."""
    heal_steps: int | None = None
    heal_minutes: float | None = None
    """How long one healing takes; neither: HEAL_MINUTES."""
    train_for_grid: bool = False
    """Whether a build whose quantization misses the quality floor may train the model on the grid of its file."""
    adapters: tuple[Path, ...] = ()
    """Folders of adapters that ship beside the artifact."""
    expert_types: ExpertTypes = "mix"
    """Which layers of a mixture of experts get the better of a scheme's types: those that llama.cpp says, or those that
    use their experts most sharply ("usage")."""
    judge_anyway: bool = False
    """Judge speed and power although the device is emulated, or is not the profile's."""

    def __post_init__(self) -> None:
        """Paths may be given as text, as one does in Python."""
        object.__setattr__(self, "adapters", tuple(map(Path, self.adapters)))
        for name in ("calibration", "out", "lock"):
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, Path(value))
        if isinstance(self.model, Path):
            object.__setattr__(self, "model", str(self.model))
