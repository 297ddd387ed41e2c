"""Step: look into a finished file and count what its delegate computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.core.delegation import Delegation
from edgeshrink.core.events import Listener
from edgeshrink.core.values import from_json, to_json
from edgeshrink.errors import StepFailed

_FILE = "delegation.json"


@dataclass(frozen=True)
class Inspect:
    """Result: `delegation.json`, a Delegation. `artifact` is a file, or the folder of a language model."""

    artifact: Path
    artifact_sha256: str
    format: str
    delegate: str
    runtime_build: str
    id: ClassVar[str] = "inspect"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"artifact": self.artifact_sha256},
            "parameters": {"format": self.format, "delegate": self.delegate},
            "tools": {"runtime": self.runtime_build},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        if self.format == "executorch":
            from edgeshrink.export.executorch.inspect import inspect_pte

            file = self.artifact / "model.pte" if self.artifact.is_dir() else self.artifact
            found = inspect_pte(file, self.delegate)
        else:
            from edgeshrink.export.onnx.inspect import inspect_onnx

            found = inspect_onnx(self.artifact, self.delegate)
        (workdir / _FILE).write_text(to_json(found), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        if not read_delegation(workdir).operators:
            raise StepFailed("no operator was found in the finished file")


def read_delegation(folder: Path) -> Delegation:
    return from_json(Delegation, folder / _FILE)
