"""How a network is to be quantized."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """`keep` are the layers that stay float."""

    format: str
    scheme: str
    delegate: str
    per_channel: bool
    symmetric_activations: bool
    keep: tuple[str, ...] = ()

    def parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def settings(self, samples: Path, log: Path) -> dict[str, Any]:
        """What every quantizer takes beside its network and a listener."""
        return {
            "scheme": self.scheme,
            "samples": samples,
            "per_channel": self.per_channel,
            "symmetric_activations": self.symmetric_activations,
            "log": log,
        }
