"""ExecuTorch: quantized in torch, exported, lowered to a delegate; the tokenizer's files stand beside the .pte."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.core.delegation import Delegation
from edgeshrink.core.plan import Plan
from edgeshrink.core.quality import Check
from edgeshrink.core.report import Compression
from edgeshrink.engine.artifacts import Finished
from edgeshrink.engine.exporters.torch_formats import check_extra_and_flags
from edgeshrink.engine.steps.export_executorch import FOLDER, ExportExecutorch
from edgeshrink.engine.steps.inspection import Inspect, read_delegation
from edgeshrink.engine.workshop import Workshop


class ExecutorchExporter:
    """Fits `Exporter`."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def check_before_work(self) -> None:
        check_extra_and_flags(self._workshop, "executorch")

    def artifact(self, plan: Plan) -> Finished:
        workshop = self._workshop
        step = ExportExecutorch(
            facts=workshop.model.facts,
            source_sha256=workshop.source_sha256,
            vocabulary=workshop.vocabulary,
            plan=plan,
            threads=workshop.threads,
            runtime_build=workshop.runtime_build("executorch"),
            log=workshop.log_file(f"{plan.format}-{plan.scheme}"),
        )
        return Finished.folder(workshop.run(step), FOLDER)

    def own_checks(self, plan: Plan, artifact: Path) -> tuple[Check, ...]:
        return ()

    def delegation(self, plan: Plan, artifact: Finished) -> Delegation | None:
        build = self._workshop.runtime_build("executorch")
        step = Inspect(artifact.path, artifact.sha256, "executorch", plan.delegate, build)
        return read_delegation(self._workshop.run(step).folder)

    def compression(self, plan: Plan) -> Compression:
        settings = ", ".join(f"{name} {value}" for name, value in plan.settings)
        floating = {"fp32": "no quantization", "fp16": "half precision"}
        how = floating.get(plan.scheme, f"torchao before torch.export, {settings}")
        return Compression(f"{plan.scheme}: {how}; lowered to {plan.delegate}", "none", "", "", 0)
