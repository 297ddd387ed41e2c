"""The steps of one network's build, bound to its situation and its store. A result that is there is not made again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from edgeshrink.catalog.requirements import check_extra
from edgeshrink.catalog.texts import evaluation_text
from edgeshrink.compress.calibration import calibration_text
from edgeshrink.core.delegation import Delegation
from edgeshrink.core.events import Listener
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.quality import LayerError, NetworkQuality
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.step import Step
from edgeshrink.devices.local import host_facts
from edgeshrink.engine.artifacts import Finished
from edgeshrink.engine.climb import not_run
from edgeshrink.engine.device_sessions import device_step, run_session
from edgeshrink.engine.networks.recipe import Recipe
from edgeshrink.engine.networks.situation import NetworkSituation
from edgeshrink.engine.place import Place
from edgeshrink.engine.steps.inspection import Inspect, read_delegation
from edgeshrink.engine.steps.measuring import read_measurements
from edgeshrink.engine.steps.network_evaluation import EvaluateNetwork, read_network_quality
from edgeshrink.engine.steps.network_float import FILE as FLOAT_FILE
from edgeshrink.engine.steps.network_float import ExportFloatOnnx
from edgeshrink.engine.steps.network_measuring import MeasureNetwork
from edgeshrink.engine.steps.network_quantize import MakeNetwork
from edgeshrink.engine.steps.network_reference import RunNetworkReference
from edgeshrink.engine.steps.network_samples import CALIBRATION, EVALUATION, PrepareSamples, calibration_origin
from edgeshrink.engine.steps.network_sensitivity import FindSensitiveLayers, read_layers
from edgeshrink.engine.steps.plan_key import exporting_tools
from edgeshrink.runtimes.registry import runtime
from edgeshrink.store import Store, Stored
from edgeshrink.store.digests import combined_sha256, remembered_sha256, remembered_tree_sha256

CALIBRATION_SAMPLES = 128
EVALUATION_SAMPLES = 1000


@dataclass
class NetworkWorkshop:
    """Not frozen: it remembers the results that the report will name."""

    situation: NetworkSituation
    store: Store
    listener: Listener
    threads: int
    place: Place
    may_install: Callable[[str], bool]
    """Asked before a Python or packages are brought to a device."""
    used: list[Stored] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note_versions(self) -> None:
        """Versions other than those tested together."""
        self.notes.extend(check_extra(self.situation.format_name))

    @cached_property
    def source_sha256(self) -> str:
        facts = self.situation.facts
        digests = [(file.name, remembered_sha256(file, self.store.notes, self.listener)) for file in facts.files]
        named = {"entry": facts.source.entry, "weights": facts.weights_sha256, "packages": ",".join(facts.packages)}
        return combined_sha256([*digests, *named.items()])

    @cached_property
    def _samples(self) -> Stored:
        folder = self.situation.request.calibration
        return self.run(
            PrepareSamples(
                facts=self.situation.facts,
                source_sha256=self.source_sha256,
                folder=folder,
                folder_sha256=self._samples_sha256(folder),
                calibration_count=CALIBRATION_SAMPLES,
                evaluation_count=EVALUATION_SAMPLES,
                tools=self._source_tools,
                log=self._log("samples"),
            )
        )

    @property
    def samples_origin(self) -> str:
        return calibration_origin(self._samples.folder)

    @property
    def calibration_sha256(self) -> str:
        return self._samples.digests[CALIBRATION]

    @cached_property
    def _float(self) -> Finished | None:
        """The float file that ONNX recipes start from; a .pte is quantized before it is a file."""
        if self.situation.format_name != "onnx":
            return None
        step = ExportFloatOnnx(
            facts=self.situation.facts,
            source_sha256=self.source_sha256,
            host_ram=self.situation.predictions("fp32").host_ram_bytes,
            log=self._log("float"),
        )
        return Finished.file(self.run(step), FLOAT_FILE)

    @property
    def _float_onnx(self) -> tuple[Path, str] | None:
        return None if self._float is None else (self._float.path, self._float.sha256)

    @cached_property
    def _reference(self) -> tuple[Path, str]:
        stored = self.run(
            RunNetworkReference(
                facts=self.situation.facts,
                source_sha256=self.source_sha256,
                samples=self._samples.file(EVALUATION),
                samples_sha256=self._samples.digests[EVALUATION],
                threads=self.threads,
                tools=self._source_tools,
                log=self._log("reference"),
            )
        )
        return stored.folder, stored.digest

    def recipe(self, scheme: str) -> Recipe:
        situation = self.situation
        return Recipe(
            format=situation.format_name,
            scheme=scheme,
            delegate=situation.delegate,
            per_channel=situation.settings.per_channel,
            symmetric_activations=situation.settings.symmetric_activations,
        )

    def artifact(self, recipe: Recipe) -> Finished:
        step = MakeNetwork(
            facts=self.situation.facts,
            source_sha256=self.source_sha256,
            recipe=recipe,
            float_onnx=self._float_onnx,
            samples=self._samples.file(CALIBRATION),
            samples_sha256=self.calibration_sha256,
            host_ram=self.situation.predictions(recipe.scheme).host_ram_bytes,
            runtime_build=self._build,
            log=self._log(recipe.scheme),
        )
        made = Finished.file(self.run(step), step.file)
        if self._float is None or self._float.times is None or made.times is None:
            return made
        return replace(made, times=self._float.times.then(made.times))

    def layers(self, recipe: Recipe) -> tuple[LayerError, ...]:
        """What quantizing each layer alone does, the worst first."""
        step = FindSensitiveLayers(
            facts=self.situation.facts,
            source_sha256=self.source_sha256,
            recipe=replace(recipe, keep=()),
            float_onnx=self._float_onnx,
            samples=self._samples.file(CALIBRATION),
            samples_sha256=self.calibration_sha256,
            runtime_build=self._build,
            log=self._log("sensitivity"),
        )
        return read_layers(self.run(step).folder)

    def quality(
        self, recipe: Recipe, artifact: Finished, layers: tuple[LayerError, ...]
    ) -> NetworkQuality | Unmeasured:
        situation = self.situation
        if self._cannot_run(recipe, artifact):
            return Unmeasured(not_run(recipe.delegate))
        step = EvaluateNetwork(
            artifact=artifact.path,
            artifact_sha256=artifact.sha256,
            facts=situation.facts,
            source_sha256=self.source_sha256,
            reference=self._reference,
            samples=self._samples.file(EVALUATION),
            samples_sha256=self._samples.digests[EVALUATION],
            scheme=recipe.scheme,
            runtime=situation.runtime,
            delegate=situation.delegate_here,
            layers=layers,
            threads=self.threads,
            runtime_build=self._build,
            log=self._log("evaluation"),
        )
        return read_network_quality(self.run(step).folder)

    def _cannot_run(self, recipe: Recipe, artifact: Finished) -> bool:
        asked_for = self.situation.delegate_here == recipe.delegate
        return asked_for and not self.delegation(recipe, artifact).runs_here

    def delegation(self, recipe: Recipe, artifact: Finished) -> Delegation:
        step = Inspect(artifact.path, artifact.sha256, recipe.format, recipe.delegate, self._build)
        return read_delegation(self.run(step).folder)

    def measurements(self, recipe: Recipe, artifact: Finished) -> Measurements | Unmeasured:
        """One session on the attached device, or on this machine where it is the profile's device."""
        situation = self.situation
        attached = self.place.device_for(situation.request, situation.runtime)
        if attached is not None:
            attached_step = device_step(
                attached,
                situation.request,
                artifact.path,
                artifact.sha256,
                runtime=situation.runtime,
                network=True,
                context=0,
                budget=situation.profile.budget,
                power_sources=situation.target.power_sources,
                delegate=recipe.delegate,
                may_install=self.may_install,
                listener=self.listener,
            )
            stored = run_session(self.store, attached_step, self.listener, again=situation.request.remeasure)
            return read_measurements(self.note(stored).folder)
        if self._cannot_run(recipe, artifact):
            return Unmeasured(not_run(recipe.delegate))
        if self.place.not_measured:
            return Unmeasured(self.place.not_measured)
        step = MeasureNetwork(
            artifact=artifact.path,
            artifact_sha256=artifact.sha256,
            samples=self._samples.file(EVALUATION),
            samples_sha256=self._samples.digests[EVALUATION],
            runtime=situation.runtime,
            delegate=situation.delegate_here,
            threads=situation.request.threads,
            power_sources=situation.target.power_sources,
            runtime_build=self._build,
            host_id=host_facts().id,
        )
        return read_measurements(self.run(step, again=situation.request.remeasure).folder)

    def run(self, step: Step, *, again: bool = False) -> Stored:
        return self.note(self.store.run(step, self.listener, again=again))

    def note(self, stored: Stored) -> Stored:
        """Remember a result that the report will name."""
        if stored not in self.used:
            self.used.append(stored)
        return stored

    @property
    def _build(self) -> str:
        return runtime(self.situation.runtime).build_id()

    @property
    def _source_tools(self) -> dict[str, str]:
        """The libraries that run the float network, whatever it is built into."""
        facts = self.situation.facts
        if facts.source.kind == "onnx":
            return {"onnx": runtime("onnx").build_id()}
        tools = exporting_tools()
        return {name: tools[name] for name in ("torch", "transformers") if name in tools}

    def _samples_sha256(self, folder: Path | None) -> str:
        """Of the folder, or of the texts that an encoder is run on where nobody gave one."""
        if folder is not None:
            return remembered_tree_sha256(folder, self.store.notes)
        texts = {"calibration": calibration_text(None).sha256, "evaluation": evaluation_text().sha256}
        return combined_sha256(texts.items())

    def _log(self, name: str) -> Path:
        return self.store.log_file(f"{self.situation.facts.name}-{self.situation.format_name}-{name}.log")
