"""GGUF: quantized while it is written, with an importance matrix where few bits are left."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.compress.imatrix import check_importance, read_importance
from edgeshrink.core.delegation import Delegation
from edgeshrink.core.plan import Plan
from edgeshrink.core.quality import Check
from edgeshrink.core.report import Compression
from edgeshrink.engine.artifacts import Finished
from edgeshrink.engine.workshop import Workshop
from edgeshrink.errors import UsageError
from edgeshrink.evaluate.checks.tensors import check_tensors, check_weights


class GgufExporter:
    """Fits `Exporter`; the workshop has the matrix and writes GGUFs anyway, for the reference."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def check_before_work(self) -> None:
        workshop, request = self._workshop, self._workshop.request
        if workshop.given_importance is not None:
            workshop.notes.extend(check_importance(read_importance(workshop.given_importance), workshop.model.layout))
        if request.calibration is not None and request.imatrix not in ("default", "auto"):
            raise UsageError(
                f"--calibration is the text of a computed importance matrix, and --imatrix is {request.imatrix}",
                hint="leave one of the two out",
            )
        if request.imatrix in ("default", "auto"):
            _ = workshop.calibration_text
        workshop.settle_importance()

    def artifact(self, plan: Plan) -> Finished:
        return self._workshop.gguf(plan)

    def own_checks(self, plan: Plan, artifact: Path) -> tuple[Check, ...]:
        facts = self._workshop.model.facts
        return check_tensors(artifact, plan.tensors), check_weights(artifact, plan.tensors, facts)

    def delegation(self, plan: Plan, artifact: Finished) -> Delegation | None:
        return None

    def compression(self, plan: Plan) -> Compression:
        method = f"{plan.scheme}: llama.cpp's mix, quantized while written by the shipped libggml"
        if not plan.uses_imatrix:
            return Compression(method, "none", "", "", 0)
        workshop = self._workshop
        matrix = workshop.importance_file
        tokens = read_importance(matrix.path).tokens
        if workshop.given_importance is not None:
            return Compression(method, f"{workshop.given_importance.name} ({matrix.sha256[:12]})", "", "", tokens)
        text = workshop.calibration_text
        return Compression(method, "computed here", text.name, text.sha256, tokens)
