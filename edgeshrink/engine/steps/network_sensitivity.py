"""Step: which layers of a network suffer most from being quantized."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.compress.networks.sensitivity import onnx_layer_errors
from edgeshrink.core.events import Listener
from edgeshrink.core.network import NetworkFacts
from edgeshrink.core.quality import LayerError
from edgeshrink.core.values import from_json, to_json
from edgeshrink.engine.networks.recipe import Recipe
from edgeshrink.engine.steps.plan_key import exporting_tools
from edgeshrink.export.executorch.network import executorch_layer_errors

_FILE = "layers.json"


@dataclass(frozen=True)
class FindSensitiveLayers:
    """Result: `layers.json`: what quantizing each layer alone does to the outputs, the worst first."""

    facts: NetworkFacts
    source_sha256: str
    recipe: Recipe
    float_onnx: tuple[Path, str] | None
    samples: Path
    samples_sha256: str
    runtime_build: str
    log: Path
    id: ClassVar[str] = "sensitivity"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {
                "source": self.source_sha256,
                "float": self.float_onnx and self.float_onnx[1],
                "samples": self.samples_sha256,
            },
            "parameters": {**self.recipe.parts(), "keep": []},
            "tools": {"runtime": self.runtime_build, **exporting_tools()},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        recipe = self.recipe
        settings = {**recipe.settings(self.samples, self.log), "listener": listener}
        if self.float_onnx is not None:
            layers = onnx_layer_errors(self.float_onnx[0], **settings)
        else:
            layers = executorch_layer_errors(self.facts.source, **settings)
        (workdir / _FILE).write_text(to_json(_Layers(layers)), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        read_layers(workdir)


@dataclass(frozen=True, slots=True)
class _Layers:
    layers: tuple[LayerError, ...]


def read_layers(folder: Path) -> tuple[LayerError, ...]:
    return from_json(_Layers, folder / _FILE).layers
