"""Step: what the float network says of the evaluation samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.core.network import NetworkFacts
from edgeshrink.errors import StepFailed
from edgeshrink.evaluate.network import reference_outputs


@dataclass(frozen=True)
class RunNetworkReference:
    """Result: a folder that `evaluate.network` reads. `tools` are the libraries that run the source."""

    facts: NetworkFacts
    source_sha256: str
    samples: Path
    samples_sha256: str
    threads: int
    tools: Mapping[str, str]
    log: Path
    id: ClassVar[str] = "reference"
    version: ClassVar[int] = 2

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"source": self.source_sha256, "samples": self.samples_sha256},
            "tools": dict(self.tools),
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        reference_outputs(
            self.facts.source, self.samples, workdir, threads=self.threads, log=self.log, listener=listener
        )

    def ensures(self, workdir: Path) -> None:
        if not any(workdir.iterdir()):
            raise StepFailed("the reference said nothing")
