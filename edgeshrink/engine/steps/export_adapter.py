"""Steps: write an adapter as a runtime takes it beside its base: a GGUF, or ONNX Runtime's own file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.core.adapter import Adapter
from edgeshrink.core.events import Listener
from edgeshrink.core.model import ModelFacts
from edgeshrink.engine.steps.export_record import keep_log
from edgeshrink.errors import StepFailed
from edgeshrink.export.gguf.adapter import gguf_adapter_bytes, write_gguf_adapter
from edgeshrink.export.onnx.adapter import write_onnx_adapter
from edgeshrink.ggml.library import library_digest

GGUF_FILE, ONNX_FILE = "adapter.gguf", "adapter.onnx_adapter"


@dataclass(frozen=True)
class ExportGgufAdapter:
    """Result: `adapter.gguf`, its numbers of `type` (F16 or F32). `adapter_sha256`: of the adapter's folder."""

    facts: ModelFacts = field(repr=False)
    source_sha256: str
    adapter: Adapter = field(repr=False)
    adapter_sha256: str
    type: str
    threads: int
    id: ClassVar[str] = "export-adapter"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"source": self.source_sha256, "adapter": self.adapter_sha256},
            "parameters": {
                "name": self.adapter.name,
                "license": self.adapter.license,
                "type": self.type,
                "format": "gguf",
            },
            "tools": {"libggml": library_digest()},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        write_gguf_adapter(
            workdir / GGUF_FILE,
            self.facts,
            self.adapter,
            type=self.type,
            threads=self.threads,
            listener=lambda event: listener(replace(event, task=f"write {self.adapter.name}")),
        )

    def ensures(self, workdir: Path) -> None:
        expected = gguf_adapter_bytes(self.facts, self.adapter, self.type)
        found = (workdir / GGUF_FILE).stat().st_size
        if found != expected:
            raise StepFailed(f"the adapter takes {expected} bytes, and the written file has {found}")


@dataclass(frozen=True)
class ExportOnnxAdapter:
    """Result: `adapter.onnx_adapter`, for the graph `model` of the artifact `artifact_sha256`; `export.log`."""

    facts: ModelFacts = field(repr=False)
    adapter: Adapter = field(repr=False)
    adapter_sha256: str
    model: Path
    artifact_sha256: str
    runtime_build: str
    log: Path
    id: ClassVar[str] = "export-adapter"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"artifact": self.artifact_sha256, "adapter": self.adapter_sha256},
            "parameters": {"name": self.adapter.name, "format": "onnx"},
            "tools": {"runtime": self.runtime_build},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        write_onnx_adapter(workdir / ONNX_FILE, self.facts, self.adapter, model=self.model, log=self.log)
        keep_log(self.log, workdir)

    def ensures(self, workdir: Path) -> None:
        if not (workdir / ONNX_FILE).is_file():
            raise StepFailed("the export of the adapter wrote no file")
