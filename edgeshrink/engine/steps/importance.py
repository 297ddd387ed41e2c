"""Step: the importance matrix, from calibration text through the runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.compress.calibration import CalibrationText
from edgeshrink.compress.imatrix.collect import collect_importance
from edgeshrink.compress.imatrix.formats import read_importance, write_importance
from edgeshrink.core.events import Listener
from edgeshrink.errors import StepFailed

FILE = "imatrix.gguf"
CONTEXT = 512


@dataclass(frozen=True)
class CollectImportance:
    """Result: `imatrix.gguf`, as llama.cpp's own tools read it."""

    reference: Path
    reference_sha256: str
    text: CalibrationText
    context: int
    threads: int
    runtime_build: str
    id: ClassVar[str] = "importance"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"reference": self.reference_sha256, "text": self.text.sha256},
            "parameters": {"context": self.context},
            "tools": {"runtime": self.runtime_build},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        importance = collect_importance(
            self.reference,
            self.text.text,
            name=self.text.name,
            context=self.context,
            threads=self.threads,
            listener=listener,
        )
        write_importance(workdir / FILE, importance)

    def ensures(self, workdir: Path) -> None:
        if not read_importance(workdir / FILE).sums:
            raise StepFailed("the importance matrix is empty")
