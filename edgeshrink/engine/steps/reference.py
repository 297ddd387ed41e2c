"""Step: run the unquantized reference over the evaluation text and keep what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.catalog.texts import Text
from edgeshrink.core.events import Listener
from edgeshrink.evaluate.reference import read_reference, write_reference


@dataclass(frozen=True)
class RunReference:
    """Result: a folder that `evaluate.reference.read_reference` reads. `adapter`: a GGUF of updates that run beside the
    model's weights, and its digest."""

    gguf: Path
    gguf_sha256: str
    name: str
    text: Text
    context: int
    threads: int
    runtime_build: str
    adapter: tuple[Path, str] | None = None
    id: ClassVar[str] = "reference"
    version: ClassVar[int] = 3

    def key_parts(self) -> Mapping[str, Any]:
        adapter = {} if self.adapter is None else {"adapter": self.adapter[1]}
        return {
            "inputs": {"gguf": self.gguf_sha256, "text": self.text.sha256, **adapter},
            "parameters": {"context": self.context, "name": self.name},
            "tools": {"runtime": self.runtime_build},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        write_reference(
            self.gguf,
            self.text,
            workdir,
            name=self.name,
            context=self.context,
            threads=self.threads,
            adapter=None if self.adapter is None else self.adapter[0],
            listener=listener,
        )

    def ensures(self, workdir: Path) -> None:
        read_reference(workdir)
