"""ONNX: built by onnxruntime-genai's model builder, a folder that onnxruntime-genai opens."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.core.delegation import Delegation
from edgeshrink.core.plan import Plan
from edgeshrink.core.quality import Check
from edgeshrink.core.report import Compression
from edgeshrink.engine.artifacts import Finished
from edgeshrink.engine.exporters.torch_formats import check_extra_and_flags
from edgeshrink.engine.steps.export_onnx import FOLDER, ExportOnnx
from edgeshrink.engine.steps.inspection import Inspect, read_delegation
from edgeshrink.engine.workshop import Workshop


class OnnxExporter:
    """Fits `Exporter`."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def check_before_work(self) -> None:
        check_extra_and_flags(self._workshop, "onnx")

    def artifact(self, plan: Plan) -> Finished:
        workshop = self._workshop
        step = ExportOnnx(
            facts=workshop.model.facts,
            source_sha256=workshop.source_sha256,
            vocabulary=workshop.vocabulary,
            plan=plan,
            runtime_build=workshop.runtime_build("onnx"),
            log=workshop.log_file(f"{plan.format}-{plan.scheme}"),
        )
        return Finished.folder(workshop.run(step), FOLDER)

    def own_checks(self, plan: Plan, artifact: Path) -> tuple[Check, ...]:
        return ()

    def delegation(self, plan: Plan, artifact: Finished) -> Delegation | None:
        build = self._workshop.runtime_build("onnx")
        step = Inspect(artifact.path, artifact.sha256, "onnx", plan.delegate, build)
        return read_delegation(self._workshop.run(step).folder)

    def compression(self, plan: Plan) -> Compression:
        settings = ", ".join(f"{name} {value}" for name, value in plan.settings)
        how = {"fp32": "no quantization", "fp16": "matrices in half precision"}.get(plan.scheme, settings)
        return Compression(f"{plan.scheme}: {how}; onnxruntime-genai's model builder", "none", "", "", 0)
