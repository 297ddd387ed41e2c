"""Step: a network as a float32 ONNX file, from which the quantized ones are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.core.network import NetworkFacts
from edgeshrink.core.reading import Prediction
from edgeshrink.engine.memory_guard import require_memory
from edgeshrink.engine.steps.export_record import keep_log, write_record
from edgeshrink.engine.steps.plan_key import exporting_tools
from edgeshrink.errors import StepFailed
from edgeshrink.export.onnx.network import write_onnx_network

FILE = "float.onnx"


@dataclass(frozen=True)
class ExportFloatOnnx:
    """Result: `float.onnx`, float32, from which the quantized files are made; `export.log`."""

    facts: NetworkFacts
    source_sha256: str
    host_ram: Prediction
    log: Path
    id: ClassVar[str] = "export"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {"inputs": {"source": self.source_sha256}, "tools": exporting_tools()}

    def requires(self) -> None:
        require_memory(f"{self.facts.name} to onnx", self.host_ram, otherwise="export a smaller network")

    def call(self, workdir: Path, listener: Listener) -> None:
        times = write_onnx_network(workdir / FILE, self.facts.source, log=self.log, listener=listener)
        write_record(workdir, times)
        keep_log(self.log, workdir)

    def ensures(self, workdir: Path) -> None:
        if not (workdir / FILE).is_file():
            raise StepFailed("the export wrote no ONNX file")
