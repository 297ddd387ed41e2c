"""Step: the network in its format, quantized by a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.compress.networks.quantize import quantize_onnx
from edgeshrink.core.events import Listener
from edgeshrink.core.network import NetworkFacts
from edgeshrink.core.reading import Prediction
from edgeshrink.engine.memory_guard import require_memory
from edgeshrink.engine.networks.recipe import Recipe
from edgeshrink.engine.steps.export_record import keep_log, write_record
from edgeshrink.engine.steps.plan_key import exporting_tools
from edgeshrink.errors import StepFailed
from edgeshrink.export.executorch.network import write_executorch_network


@dataclass(frozen=True)
class MakeNetwork:
    """Result: `model.onnx` or `model.pte`; `export.log`. `float_onnx` is the file that ONNX recipes start from."""

    facts: NetworkFacts
    source_sha256: str
    recipe: Recipe
    float_onnx: tuple[Path, str] | None
    samples: Path
    samples_sha256: str
    host_ram: Prediction
    runtime_build: str
    log: Path
    id: ClassVar[str] = "quantize"
    version: ClassVar[int] = 1

    @property
    def file(self) -> str:
        return "model.onnx" if self.recipe.format == "onnx" else "model.pte"

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {
                "source": self.source_sha256,
                "float": self.float_onnx and self.float_onnx[1],
                "samples": self.samples_sha256,
            },
            "parameters": {**self.recipe.parts(), "keep": list(self.recipe.keep)},
            "tools": {"runtime": self.runtime_build, **exporting_tools()},
        }

    def requires(self) -> None:
        what = f"{self.recipe.scheme} to {self.recipe.format}"
        require_memory(what, self.host_ram, otherwise="export a smaller network")

    def call(self, workdir: Path, listener: Listener) -> None:
        recipe = self.recipe
        settings = {**recipe.settings(self.samples, self.log), "keep": recipe.keep, "listener": listener}
        if self.float_onnx is not None:
            times = quantize_onnx(self.float_onnx[0], workdir / self.file, **settings)
        else:
            source = self.facts.source
            times = write_executorch_network(workdir / self.file, source, delegate=recipe.delegate, **settings)
        write_record(workdir, times)
        keep_log(self.log, workdir)

    def ensures(self, workdir: Path) -> None:
        if not (workdir / self.file).is_file():
            raise StepFailed(f"no {self.file} was written")
