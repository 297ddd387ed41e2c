"""Step: one measuring session. Kept while the runtime's build and the host stay the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.values import from_json, to_json
from edgeshrink.errors import StepFailed
from edgeshrink.measure.session import measure

FILE = "measurements.json"


@dataclass(frozen=True)
class Measure:
    """Result: `measurements.json`, a Measurements."""

    artifact: Path
    artifact_sha256: str
    runtime: str
    delegate: str
    context: int
    threads: int | None
    gpu_layers: int
    prompt_tokens: tuple[int, ...]
    power_sources: tuple[str, ...]
    runtime_build: str
    host_id: str
    id: ClassVar[str] = "measure"
    version: ClassVar[int] = 2

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"artifact": self.artifact_sha256},
            "parameters": {
                "delegate": self.delegate,
                "context": self.context,
                "threads": self.threads,
                "gpu_layers": self.gpu_layers,
                "prompt_tokens": list(self.prompt_tokens),
                "power_sources": list(self.power_sources),
            },
            "tools": {"runtime": self.runtime_build, "host": self.host_id},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        measurements = measure(
            self.artifact,
            sha256=self.artifact_sha256,
            runtime=self.runtime,
            delegate=self.delegate,
            context=self.context,
            threads=self.threads,
            gpu_layers=self.gpu_layers,
            prompt_tokens=self.prompt_tokens,
            power_sources=self.power_sources,
            listener=listener,
        )
        (workdir / FILE).write_text(to_json(measurements), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        if read_measurements(workdir).repetitions < 1:
            raise StepFailed("the session measured nothing")


def read_measurements(folder: Path) -> Measurements:
    return from_json(Measurements, folder / FILE)
