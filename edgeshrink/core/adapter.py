"""Low-rank updates that ship beside one base model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.model import SourceTensor
from edgeshrink.core.quality import Quality
from edgeshrink.core.reading import Reading
from edgeshrink.core.verdict import Outcome

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
"""The folder is one that peft reads and writes."""
GGUF_A, GGUF_B = ".lora_a", ".lora_b"
"""What llama.cpp (src/llama-adapter.cpp) puts behind a weight's name, for the two halves of its update."""


@dataclass(frozen=True, slots=True)
class LowRank:
    """One update: `weight` (rows, columns), as transformers names it, plus alpha / rank times `b` (rows, rank) times
    `a` (rank, columns)."""

    weight: str
    a: SourceTensor
    b: SourceTensor


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter's folder, or a file of one. `base`: digest of the model that it was trained on, as SourceSummary has
    it; "" where the folder does not say (peft's own). `scheme`: what that base was rounded to while it was trained,
    None: nothing."""

    folder: Path
    name: str
    base: str
    base_name: str
    scheme: str | None
    rank: int
    alpha: float
    targets: tuple[str, ...]
    parameters: int
    license: str | None = None
    updates: tuple[LowRank, ...] = field(default=(), repr=False)
    """Every update of the folder, in the order of its file; of a GGUF file none."""

    @property
    def scale(self) -> float:
        """What every update is multiplied with. `alpha` is so told that this holds of rank-stabilized ones too."""
        return self.alpha / self.rank


@dataclass(frozen=True, slots=True)
class BuiltAdapter:
    """An adapter as it ships beside the artifact: `file` inside the build's folder. `mean_kl`: of base and adapter as
    they run, against both in full precision; `behaviour` of the pair, None where no suite was run. `outcome`: of the
    pair by the budget of the build; `quality` None where the pair could not be compared here."""

    name: str
    file: str
    nbytes: int
    sha256: str
    rank: int
    share_of_base: float
    mean_kl: Reading
    behaviour: Behaviour | None = None
    notes: tuple[str, ...] = ()
    outcome: Outcome = "UNKNOWN"
    quality: Quality | None = None
    given_sha256: str = ""
    """Of the adapter's folder as it was given: sha256 over its files' sha256, in name order."""
    parameters: int = 0
    alpha: float = 0.0
    targets: tuple[str, ...] = ()
    scheme: str | None = None
    """What the base was rounded to while the adapter was trained; None: nothing, or nobody said."""
    license: str | None = None
