"""Step: one measuring session of a network. Kept while the runtime's build and the host stay the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.core.values import to_json
from edgeshrink.engine.steps.measuring import FILE, read_measurements
from edgeshrink.errors import StepFailed
from edgeshrink.measure.network import measure_network


@dataclass(frozen=True)
class MeasureNetwork:
    """Result: `measurements.json`, a Measurements with `inference`. `samples` None: random inputs."""

    artifact: Path
    artifact_sha256: str
    samples: Path | None
    samples_sha256: str
    runtime: str
    delegate: str
    threads: int | None
    power_sources: tuple[str, ...]
    runtime_build: str
    host_id: str
    id: ClassVar[str] = "measure"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"artifact": self.artifact_sha256, "samples": self.samples_sha256},
            "parameters": {
                "delegate": self.delegate,
                "threads": self.threads,
                "power_sources": list(self.power_sources),
            },
            "tools": {"runtime": self.runtime_build, "host": self.host_id},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        measurements = measure_network(
            self.artifact,
            sha256=self.artifact_sha256,
            samples=self.samples,
            runtime=self.runtime,
            delegate=self.delegate,
            threads=self.threads,
            power_sources=self.power_sources,
            listener=listener,
        )
        (workdir / FILE).write_text(to_json(measurements), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        if not read_measurements(workdir).inference:
            raise StepFailed("the session measured nothing")
