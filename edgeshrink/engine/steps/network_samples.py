"""Step: samples to calibrate a network with, and others to compare it on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.core.network import NetworkFacts
from edgeshrink.errors import StepFailed
from edgeshrink.runtimes.network_samples import prepare_samples

CALIBRATION, EVALUATION = "calibration.npz", "evaluation.npz"


@dataclass(frozen=True)
class PrepareSamples:
    """Result: `calibration.npz` and `evaluation.npz`, which share no sample, and `samples.json` on their origin.

    `folder_sha256` covers the samples' folder, or the texts that stand in for one; `tools` are the libraries that run
    the source: the samples of a network with states hold states that it computed.
    """

    facts: NetworkFacts
    source_sha256: str
    folder: Path | None
    folder_sha256: str
    calibration_count: int
    evaluation_count: int
    tools: Mapping[str, str]
    log: Path
    id: ClassVar[str] = "samples"
    version: ClassVar[int] = 2

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"source": self.source_sha256, "folder": self.folder_sha256},
            "parameters": {"calibration": self.calibration_count, "evaluation": self.evaluation_count},
            "tools": dict(self.tools),
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        prepare_samples(
            self.facts.source,
            self.facts,
            self.folder,
            calibration_count=self.calibration_count,
            evaluation_count=self.evaluation_count,
            out=workdir,
            log=self.log,
            listener=listener,
        )

    def ensures(self, workdir: Path) -> None:
        for name in (CALIBRATION, EVALUATION):
            if not (workdir / name).is_file():
                raise StepFailed(f"no {name} was written")


def calibration_origin(folder: Path) -> str:
    """Where the calibration samples came from, in a report's words."""
    index = json.loads((folder / "samples.json").read_text(encoding="utf-8"))
    return str(index["calibration"]["origin"])
