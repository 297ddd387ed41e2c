"""Low-rank updates that ship beside one base model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.reading import Reading

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
"""The folder is one that peft reads and writes."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter's folder. `base`: digest of the model that it was trained on, as SourceSummary has it; "" where the
    folder does not say (peft's own). `scheme`: what that base was rounded to while it was trained, None: nothing."""

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


@dataclass(frozen=True, slots=True)
class BuiltAdapter:
    """An adapter as it ships beside the artifact: `file` inside the build's folder. `mean_kl`: of base and adapter as
    they run, against both in full precision; `behaviour` of the pair, None where no suite was run."""

    name: str
    file: str
    nbytes: int
    sha256: str
    rank: int
    share_of_base: float
    mean_kl: Reading
    behaviour: Behaviour | None = None
    notes: tuple[str, ...] = ()
