"""The steps of one network's build, bound to its situation and its store. A result that is there is not made again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from edgeshrink.catalog.requirements import check_extra
from edgeshrink.core.delegation import Delegation
from edgeshrink.core.events import Listener
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.quality import LayerError, NetworkQuality
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.step import Step
from edgeshrink.devices.local import host_facts
from edgeshrink.engine.artifacts import Finished
from edgeshrink.engine.networks import steps
from edgeshrink.engine.networks.situation import NetworkSituation
from edgeshrink.engine.steps.inspection import Inspect, read_delegation
from edgeshrink.engine.steps.measuring import read_measurements
from edgeshrink.engine.steps.measuring_network import MeasureNetwork
from edgeshrink.errors import DataError
from edgeshrink.runtimes.registry import runtime
from edgeshrink.store import Store, Stored
from edgeshrink.store.digests import combined_sha256, remembered_sha256

CALIBRATION_SAMPLES = 128
EVALUATION_SAMPLES = 1000


@dataclass
class NetworkWorkshop:
    """Not frozen: it remembers the results that the report will name."""

    situation: NetworkSituation
    store: Store
    listener: Listener
    threads: int
    used: list[Stored] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def check_before_work(self) -> None:
        """Refuse in the first second what would fail in a later step."""
        self.notes.extend(check_extra(self.situation.format_name))
        folder = self.situation.request.calibration
        if folder is not None and not folder.exists():
            raise DataError(f"there is no {folder}", hint="--calibration names a folder of samples, or an .npz file")

    @cached_property
    def source_sha256(self) -> str:
        facts = self.situation.facts
        digests = [(file.name, remembered_sha256(file, self.store.notes, self.listener)) for file in facts.files]
        return combined_sha256([*digests, ("entry", facts.source.entry), ("weights", facts.weights_sha256)])

    @cached_property
    def _samples(self) -> Stored:
        folder = self.situation.request.calibration
        return self.run(
            steps.PrepareSamples(
                facts=self.situation.facts,
                source_sha256=self.source_sha256,
                folder=folder,
                folder_sha256="" if folder is None else self._folder_sha256(folder),
                calibration_count=CALIBRATION_SAMPLES,
                evaluation_count=EVALUATION_SAMPLES,
            )
        )

    @property
    def samples_origin(self) -> str:
        folder = self.situation.request.calibration
        return "seeded random inputs" if folder is None else folder.name

    @property
    def calibration_sha256(self) -> str:
        return self._samples.digests[steps.CALIBRATION]

    @cached_property
    def _float(self) -> Finished | None:
        """The float file that ONNX recipes start from; a .pte is quantized before it is a file."""
        if self.situation.format_name != "onnx":
            return None
        step = steps.ExportFloatOnnx(
            facts=self.situation.facts,
            source_sha256=self.source_sha256,
            host_ram=self.situation.predictions("fp32").host_ram_bytes,
            log=self._log("float"),
        )
        return Finished.file(self.run(step), step.FILE)

    @property
    def _float_onnx(self) -> tuple[Path, str] | None:
        return None if self._float is None else (self._float.path, self._float.sha256)

    @cached_property
    def _reference(self) -> tuple[Path, str]:
        stored = self.run(
            steps.RunNetworkReference(
                facts=self.situation.facts,
                source_sha256=self.source_sha256,
                samples=self._samples.file(steps.EVALUATION),
                samples_sha256=self._samples.digests[steps.EVALUATION],
                threads=self.threads,
                runtime_build=self._build,
            )
        )
        return stored.folder, combined_sha256(stored.digests.items())

    def recipe(self, scheme: str) -> steps.Recipe:
        situation = self.situation
        return steps.Recipe(
            format=situation.format_name,
            scheme=scheme,
            delegate=situation.delegate,
            per_channel=situation.settings.per_channel,
            symmetric_activations=situation.settings.symmetric_activations,
        )

    def artifact(self, recipe: steps.Recipe) -> Finished:
        step = steps.MakeNetwork(
            facts=self.situation.facts,
            source_sha256=self.source_sha256,
            recipe=recipe,
            float_onnx=self._float_onnx,
            samples=self._samples.file(steps.CALIBRATION),
            samples_sha256=self.calibration_sha256,
            host_ram=self.situation.predictions(recipe.scheme).host_ram_bytes,
            runtime_build=self._build,
            log=self._log(recipe.scheme),
        )
        made = Finished.file(self.run(step), step.file)
        if self._float is None or self._float.times is None or made.times is None:
            return made
        return replace(made, times=self._float.times.then(made.times))

    def layers(self, recipe: steps.Recipe) -> tuple[LayerError, ...]:
        """What quantizing each layer alone does, the worst first."""
        step = steps.FindSensitiveLayers(
            facts=self.situation.facts,
            source_sha256=self.source_sha256,
            recipe=replace(recipe, keep=()),
            float_onnx=self._float_onnx,
            samples=self._samples.file(steps.CALIBRATION),
            samples_sha256=self.calibration_sha256,
            runtime_build=self._build,
            log=self._log("sensitivity"),
        )
        return steps.read_layers(self.run(step).folder)

    def quality(
        self, recipe: steps.Recipe, artifact: Finished, layers: tuple[LayerError, ...]
    ) -> NetworkQuality | Unmeasured:
        situation = self.situation
        if not situation.runs_here:
            return Unmeasured(f"lowered ahead of time for {recipe.delegate} and inspected; this machine cannot run it")
        step = steps.EvaluateNetwork(
            artifact=artifact.path,
            artifact_sha256=artifact.sha256,
            facts=situation.facts,
            source_sha256=self.source_sha256,
            reference=self._reference,
            samples=self._samples.file(steps.EVALUATION),
            samples_sha256=self._samples.digests[steps.EVALUATION],
            scheme=recipe.scheme,
            runtime=situation.runtime,
            delegate=situation.delegate_here,
            layers=layers,
            threads=self.threads,
            runtime_build=self._build,
        )
        return steps.read_network_quality(self.run(step).folder)

    def delegation(self, recipe: steps.Recipe, artifact: Finished) -> Delegation:
        step = Inspect(artifact.path, artifact.sha256, recipe.format, recipe.delegate, self._build)
        return read_delegation(self.run(step).folder)

    def measurements(self, recipe: steps.Recipe, artifact: Finished) -> Measurements | Unmeasured:
        """One session on this machine, where this machine is the device."""
        situation = self.situation
        if not situation.runs_here:
            return Unmeasured(f"this machine cannot run what was lowered for {recipe.delegate}")
        if not situation.on_this_host:
            return Unmeasured(f"this host is not {situation.profile.name}: run `edgeshrink profile` there")
        step = MeasureNetwork(
            artifact=artifact.path,
            artifact_sha256=artifact.sha256,
            samples=self._samples.file(steps.EVALUATION),
            samples_sha256=self._samples.digests[steps.EVALUATION],
            runtime=situation.runtime,
            delegate=situation.delegate_here,
            threads=situation.request.threads,
            power_sources=situation.target.power_sources,
            runtime_build=self._build,
            host_id=host_facts().id,
        )
        return read_measurements(self.run(step, again=situation.request.remeasure).folder)

    def run(self, step: Step, *, again: bool = False) -> Stored:
        stored = self.store.run(step, self.listener, again=again)
        if stored not in self.used:
            self.used.append(stored)
        return stored

    @property
    def _build(self) -> str:
        return runtime(self.situation.runtime).build_id()

    def _log(self, name: str) -> Path:
        return self.store.log_file(f"{self.situation.facts.name}-{self.situation.format_name}-{name}.log")

    def _folder_sha256(self, folder: Path) -> str:
        files = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
        names = (file.name if folder.is_file() else file.relative_to(folder).as_posix() for file in files)
        digests = (remembered_sha256(file, self.store.notes) for file in files)
        return combined_sha256(zip(names, digests, strict=True))
