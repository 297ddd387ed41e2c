"""The steps of a network's build. Each is a frozen dataclass that fits `core.step.Step`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.compress.networks.quantize import quantize_onnx
from edgeshrink.compress.networks.sensitivity import onnx_layer_errors
from edgeshrink.core.events import Listener
from edgeshrink.core.network import NetworkFacts
from edgeshrink.core.quality import LayerError, NetworkQuality
from edgeshrink.core.reading import Prediction
from edgeshrink.core.values import from_json, to_json
from edgeshrink.engine.memory_guard import require_memory
from edgeshrink.engine.steps.export_record import write_record
from edgeshrink.engine.steps.plan_key import exporting_tools
from edgeshrink.errors import StepFailed
from edgeshrink.evaluate.network import evaluate_network, reference_outputs
from edgeshrink.export.executorch.network import executorch_layer_errors, write_executorch_network
from edgeshrink.export.onnx.network import write_onnx_network
from edgeshrink.runtimes.network_samples import prepare_samples

CALIBRATION, EVALUATION = "calibration.npz", "evaluation.npz"
LOG = "export.log"


@dataclass(frozen=True)
class PrepareSamples:
    """Result: `calibration.npz` and `evaluation.npz`, which share no sample, and `samples.json` on their origin."""

    facts: NetworkFacts
    source_sha256: str
    folder: Path | None
    folder_sha256: str
    calibration_count: int
    evaluation_count: int
    id: ClassVar[str] = "samples"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"source": self.source_sha256, "folder": self.folder_sha256},
            "parameters": {"calibration": self.calibration_count, "evaluation": self.evaluation_count},
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
        )

    def ensures(self, workdir: Path) -> None:
        for name in (CALIBRATION, EVALUATION):
            if not (workdir / name).is_file():
                raise StepFailed(f"no {name} was written")


@dataclass(frozen=True)
class RunNetworkReference:
    """Result: a folder that `evaluate.network` reads: what the float network says of the evaluation samples."""

    facts: NetworkFacts
    source_sha256: str
    samples: Path
    samples_sha256: str
    threads: int
    runtime_build: str
    id: ClassVar[str] = "reference"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"source": self.source_sha256, "samples": self.samples_sha256},
            "tools": {"runtime": self.runtime_build},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        reference_outputs(self.facts.source, self.samples, workdir, threads=self.threads, listener=listener)

    def ensures(self, workdir: Path) -> None:
        if not any(workdir.iterdir()):
            raise StepFailed("the reference said nothing")


@dataclass(frozen=True)
class ExportFloatOnnx:
    """Result: `float.onnx`, float32, from which the quantized files are made; `export.log`."""

    facts: NetworkFacts
    source_sha256: str
    host_ram: Prediction
    log: Path
    id: ClassVar[str] = "export"
    version: ClassVar[int] = 1
    FILE: ClassVar[str] = "float.onnx"

    def key_parts(self) -> Mapping[str, Any]:
        return {"inputs": {"source": self.source_sha256}, "tools": exporting_tools()}

    def requires(self) -> None:
        require_memory(f"{self.facts.name} to onnx", self.host_ram, otherwise="export a smaller network")

    def call(self, workdir: Path, listener: Listener) -> None:
        times = write_onnx_network(workdir / self.FILE, self.facts.source, log=self.log, listener=listener)
        write_record(workdir, times)
        shutil.copyfile(self.log, workdir / LOG)

    def ensures(self, workdir: Path) -> None:
        if not (workdir / self.FILE).is_file():
            raise StepFailed("the export wrote no ONNX file")


@dataclass(frozen=True)
class Recipe:
    """How a network is quantized. `keep` are the layers that stay float."""

    format: str
    scheme: str
    delegate: str
    per_channel: bool
    symmetric_activations: bool
    keep: tuple[str, ...] = ()

    def parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


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
        settings: dict[str, Any] = {
            "scheme": recipe.scheme,
            "keep": recipe.keep,
            "samples": self.samples,
            "per_channel": recipe.per_channel,
            "symmetric_activations": recipe.symmetric_activations,
            "log": self.log,
            "listener": listener,
        }
        if self.float_onnx is not None:
            times = quantize_onnx(self.float_onnx[0], workdir / self.file, **settings)
        else:
            source = self.facts.source
            times = write_executorch_network(workdir / self.file, source, delegate=recipe.delegate, **settings)
        write_record(workdir, times)
        shutil.copyfile(self.log, workdir / LOG)

    def ensures(self, workdir: Path) -> None:
        if not (workdir / self.file).is_file():
            raise StepFailed(f"no {self.file} was written")


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
    FILE: ClassVar[str] = "layers.json"

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
        settings: dict[str, Any] = {
            "scheme": recipe.scheme,
            "samples": self.samples,
            "per_channel": recipe.per_channel,
            "symmetric_activations": recipe.symmetric_activations,
            "log": self.log,
            "listener": listener,
        }
        if self.float_onnx is not None:
            layers = onnx_layer_errors(self.float_onnx[0], **settings)
        else:
            layers = executorch_layer_errors(self.facts.source, **settings)
        (workdir / self.FILE).write_text(to_json(_Layers(layers)), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        read_layers(workdir)


@dataclass(frozen=True, slots=True)
class _Layers:
    layers: tuple[LayerError, ...]


def read_layers(folder: Path) -> tuple[LayerError, ...]:
    return from_json(_Layers, folder / FindSensitiveLayers.FILE).layers


@dataclass(frozen=True)
class EvaluateNetwork:
    """Result: `quality.json`, a NetworkQuality."""

    artifact: Path
    artifact_sha256: str
    facts: NetworkFacts
    source_sha256: str
    reference: tuple[Path, str]
    samples: Path
    samples_sha256: str
    scheme: str
    runtime: str
    delegate: str
    layers: tuple[LayerError, ...] = field(repr=False)
    threads: int
    runtime_build: str
    id: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 1
    FILE: ClassVar[str] = "quality.json"

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {
                "artifact": self.artifact_sha256,
                "source": self.source_sha256,
                "reference": self.reference[1],
                "samples": self.samples_sha256,
            },
            "parameters": {
                "scheme": self.scheme,
                "delegate": self.delegate,
                "layers": [[layer.name, layer.error, layer.kept_float] for layer in self.layers],
            },
            "tools": {"runtime": self.runtime_build},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        quality = evaluate_network(
            self.artifact,
            runtime=self.runtime,
            delegate=self.delegate,
            reference=self.reference[0],
            samples=self.samples,
            source=self.facts.source,
            scheme=self.scheme,
            layers=self.layers,
            threads=self.threads,
            listener=listener,
        )
        (workdir / self.FILE).write_text(to_json(quality), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        if not read_network_quality(workdir).checks:
            raise StepFailed("nothing was checked on the finished file")


def read_network_quality(folder: Path) -> NetworkQuality:
    return from_json(NetworkQuality, folder / EvaluateNetwork.FILE)
