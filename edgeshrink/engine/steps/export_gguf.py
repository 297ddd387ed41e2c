"""Step: write the GGUF that a Plan describes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.catalog.grid import source_tensors
from edgeshrink.compress.imatrix.formats import read_importance
from edgeshrink.core.events import Listener
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.grid import Grid
from edgeshrink.core.model import ModelFacts, SourceTensor
from edgeshrink.core.plan import Plan
from edgeshrink.errors import StepFailed
from edgeshrink.export.gguf.write import write_gguf
from edgeshrink.ggml.library import library_digest
from edgeshrink.planning.gguf_size import gguf_file_bytes
from edgeshrink.planning.layout import computed_tensors

FILE = "model.gguf"


@dataclass(frozen=True)
class ExportGguf:
    """Result: `model.gguf`. `importance` is the imatrix file that the plan asks for, with its digest. `trained`: the
    codes that the source was trained for, which are written as they are; they count as part of the source."""

    facts: ModelFacts
    source_sha256: str
    plan: Plan
    header: tuple[KeyValue, ...] = field(repr=False)
    importance: tuple[Path, str] | None
    threads: int
    trained: Grid | None = None
    id: ClassVar[str] = "export"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"source": self.source_sha256, "importance": self.importance and self.importance[1]},
            "parameters": {
                "scheme": self.plan.scheme,
                "tensors": {
                    tensor.name: [tensor.source, list(tensor.shape), tensor.type, tensor.transform, tensor.heads]
                    for tensor in self.plan.tensors
                },
                "header": _header_digest(self.header),
                **({} if self.trained is None else {"codes": "as trained"}),
            },
            "tools": {"libggml": library_digest()},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        write_gguf(
            workdir / FILE,
            self.header,
            self.plan.tensors,
            self._source(),
            computed=computed_tensors(self.facts),
            importance=None if self.importance is None else read_importance(self.importance[0]).values,
            threads=self.threads,
            listener=lambda event: listener(replace(event, task=f"write {self.plan.scheme}")),
        )

    def _source(self) -> dict[str, SourceTensor]:
        codes = {} if self.trained is None else source_tensors(self.trained)
        return {tensor.name: tensor for tensor in self.facts.tensors} | codes

    def ensures(self, workdir: Path) -> None:
        expected = gguf_file_bytes(self.header, self.plan.tensors)
        found = (workdir / FILE).stat().st_size
        if found != expected:
            raise StepFailed(f"the plan says {expected} bytes and the written file has {found}")


def _header_digest(header: tuple[KeyValue, ...]) -> str:
    digest = hashlib.sha256()
    for entry in header:
        digest.update(repr((entry.key, entry.type, entry.value)).encode())
    return digest.hexdigest()
