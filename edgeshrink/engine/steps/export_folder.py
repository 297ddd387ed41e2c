"""Step: export a language model through torch, to the folder that its runtime opens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.core.grid import Grid
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import Plan
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.engine.memory_guard import require_memory
from edgeshrink.engine.steps.export_record import keep_log, write_record
from edgeshrink.engine.steps.plan_key import plan_key
from edgeshrink.errors import StepFailed
from edgeshrink.export.executorch.language import write_executorch
from edgeshrink.export.onnx.language import write_onnx

FOLDER = "artifact"
_WRITERS = {"executorch": (write_executorch, "model.pte"), "onnx": (write_onnx, "genai_config.json")}


@dataclass(frozen=True)
class ExportFolder:
    """Result: `artifact/` with the model and the tokenizer's files; `export.json`, an ExportTimes; `export.log`.

    `adapter_weights`: what adapters will update, as transformers names it; an ONNX graph gets places for that.
    """

    facts: ModelFacts
    source_sha256: str
    vocabulary: Vocabulary = field(repr=False)
    plan: Plan
    threads: int
    runtime_build: str
    log: Path
    adapter_weights: tuple[str, ...] = ()
    trained: Grid | None = None
    id: ClassVar[str] = "export"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        places = {"adapter weights": list(self.adapter_weights)} if self.adapter_weights else {}
        codes = {} if self.trained is None else {"codes": "as trained"}
        return {
            "inputs": {"source": self.source_sha256},
            "parameters": {**plan_key(self.plan), **places, **codes},
            "tools": {"runtime": self.runtime_build},
        }

    def requires(self) -> None:
        plan = self.plan
        require_memory(
            f"{plan.scheme} to {plan.format}",
            plan.predictions.host_ram_bytes,
            otherwise="build --format gguf, which reads slice by slice",
        )

    def call(self, workdir: Path, listener: Listener) -> None:
        folder = workdir / FOLDER
        folder.mkdir()
        write, _ = _WRITERS[self.plan.format]
        if self.adapter_weights:
            write = partial(write_onnx, adapter_weights=self.adapter_weights)
        times = write(
            folder,
            self.facts,
            self.plan,
            vocabulary=self.vocabulary,
            threads=self.threads,
            log=self.log,
            listener=listener,
            trained=self.trained,
        )
        write_record(workdir, times)
        keep_log(self.log, workdir)

    def ensures(self, workdir: Path) -> None:
        _, main = _WRITERS[self.plan.format]
        if not (workdir / FOLDER / main).is_file():
            raise StepFailed(f"the export wrote no {main}")
