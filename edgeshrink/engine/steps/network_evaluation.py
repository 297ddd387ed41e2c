"""Step: examine a finished network against the float one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.core.network import NetworkFacts
from edgeshrink.core.quality import LayerError, NetworkQuality
from edgeshrink.core.values import from_json, to_json
from edgeshrink.errors import StepFailed
from edgeshrink.evaluate.network import evaluate_network

_FILE = "quality.json"


@dataclass(frozen=True)
class EvaluateNetwork:
    """Result: `quality.json`, a NetworkQuality."""

    artifact: Path
    artifact_sha256: str
    facts: NetworkFacts
    source_sha256: str
    reference: tuple[Path, str]
    samples: Path
    samples_sha256: str
    scheme: str
    runtime: str
    delegate: str
    layers: tuple[LayerError, ...] = field(repr=False)
    threads: int
    runtime_build: str
    log: Path
    id: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {
                "artifact": self.artifact_sha256,
                "source": self.source_sha256,
                "reference": self.reference[1],
                "samples": self.samples_sha256,
            },
            "parameters": {
                "scheme": self.scheme,
                "delegate": self.delegate,
                "layers": [[layer.name, layer.error, layer.kept_float] for layer in self.layers],
            },
            "tools": {"runtime": self.runtime_build},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        quality = evaluate_network(
            self.artifact,
            runtime=self.runtime,
            delegate=self.delegate,
            reference=self.reference[0],
            samples=self.samples,
            source=self.facts.source,
            scheme=self.scheme,
            layers=self.layers,
            threads=self.threads,
            log=self.log,
            listener=listener,
        )
        (workdir / _FILE).write_text(to_json(quality), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        if not read_network_quality(workdir).checks:
            raise StepFailed("nothing was checked on the finished file")


def read_network_quality(folder: Path) -> NetworkQuality:
    return from_json(NetworkQuality, folder / _FILE)
