"""ExecuTorch and ONNX: exported through torch in a child process, to a folder that their runtime opens."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.catalog.requirements import check_extra
from edgeshrink.core.delegation import Delegation
from edgeshrink.core.plan import Plan
from edgeshrink.core.quality import Check
from edgeshrink.core.report import Compression
from edgeshrink.engine.artifacts import Finished
from edgeshrink.engine.exporters.trained_checks import trained_checks
from edgeshrink.engine.steps.export_folder import FOLDER, ExportFolder
from edgeshrink.engine.steps.inspection import Inspect, read_delegation
from edgeshrink.engine.trained_codes import grid_note, trained_grid
from edgeshrink.engine.workshop import Workshop
from edgeshrink.errors import UsageError

_MADE_BY = {"executorch": "torchao before torch.export", "onnx": "onnxruntime-genai's model builder"}


class TorchExporter:
    """Fits `Exporter`, for the format of that name."""

    def __init__(self, workshop: Workshop, format: str) -> None:
        self._workshop = workshop
        self._format = format

    def check_before_work(self) -> None:
        """ToolMissing without the extra; UsageError for a flag that only GGUF knows."""
        name, request = self._format, self._workshop.request
        self._workshop.notes.extend(check_extra(name))
        if request.gpu_layers:
            raise UsageError(f"--gpu-layers is llama.cpp's, and the format is {name}", hint="leave it out: --delegate")
        if request.imatrix != "default":
            raise UsageError(f"--imatrix weighs GGUF's types, and the format is {name}", hint="leave it out")
        if request.calibration is not None:
            raise UsageError(
                f"--calibration is read for GGUF's importance matrix and for networks; {name} rounds a language model"
                " without data",
                hint="leave it out",
            )

    def artifact(self, plan: Plan) -> Finished:
        workshop = self._workshop
        note = grid_note(workshop.model.facts, plan)
        if note and note not in workshop.notes:
            workshop.notes.append(note)
        step = ExportFolder(
            facts=workshop.model.facts,
            source_sha256=workshop.source_sha256,
            vocabulary=workshop.vocabulary,
            plan=plan,
            threads=workshop.threads,
            runtime_build=workshop.runtime_build(plan.runtime),
            log=workshop.log_file(f"{plan.format}-{plan.scheme}"),
            adapter_weights=workshop.adapter_weights,
            trained=trained_grid(workshop.model.facts, plan),
        )
        return Finished.folder(workshop.run(step), FOLDER)

    def own_checks(self, plan: Plan, artifact: Path) -> tuple[Check, ...]:
        facts = self._workshop.model.facts
        grid = trained_grid(facts, plan)
        return () if grid is None else trained_checks(plan, artifact, grid, facts, self._workshop.threads)

    def delegation(self, plan: Plan, artifact: Finished) -> Delegation | None:
        build = self._workshop.runtime_build(plan.runtime)
        step = Inspect(artifact.path, artifact.sha256, plan.format, plan.delegate, build)
        return read_delegation(self._workshop.run(step).folder)

    def compression(self, plan: Plan) -> Compression:
        settings = ", ".join(f"{name} {value}" for name, value in plan.settings)
        how = {"fp32": "no quantization", "fp16": "half precision"}.get(plan.scheme, settings)
        if trained_grid(self._workshop.model.facts, plan) is not None:
            how = f"{how}, the codes that were trained"
        method = f"{plan.scheme}: {how}; {_MADE_BY[plan.format]}, for {plan.delegate}"
        return Compression(method, "none", "", "", 0)
