"""GGUF: quantized while it is written, with an importance matrix where few bits are left."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.catalog.grid import source_tensors
from edgeshrink.compress.imatrix import check_importance, read_importance, unseen_experts
from edgeshrink.core.delegation import Delegation
from edgeshrink.core.plan import Plan
from edgeshrink.core.quality import Check
from edgeshrink.core.report import Compression
from edgeshrink.engine.artifacts import Finished
from edgeshrink.engine.exporters.trained_checks import trained_agreement
from edgeshrink.engine.trained_codes import grid_note, trained_grid
from edgeshrink.engine.workshop import Workshop
from edgeshrink.errors import UsageError
from edgeshrink.evaluate.checks.tensors import check_tensors, check_weights
from edgeshrink.evaluate.checks.trained_codes import check_trained_codes


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
        workshop = self._workshop
        note = grid_note(workshop.model.facts, plan)
        finished = workshop.gguf(plan)
        notes = [note] if note else []
        if plan.uses_imatrix and workshop.model.facts.experts is not None:
            notes += unseen_experts(read_importance(workshop.importance_file.path))
        workshop.notes.extend(note for note in notes if note not in workshop.notes)
        return finished

    def own_checks(self, plan: Plan, artifact: Path) -> tuple[Check, ...]:
        facts = self._workshop.model.facts
        checks = check_tensors(artifact, plan.tensors), check_weights(artifact, plan.tensors, facts)
        grid = trained_grid(facts, plan)
        if grid is None:
            return checks
        codes = check_trained_codes(artifact, plan.tensors, source_tensors(grid))
        return *checks, codes, trained_agreement(plan, artifact, grid, self._workshop.threads)

    def delegation(self, plan: Plan, artifact: Finished) -> Delegation | None:
        return None

    def compression(self, plan: Plan) -> Compression:
        method = f"{plan.scheme}: llama.cpp's mix, quantized while written by the shipped libggml"
        if trained_grid(self._workshop.model.facts, plan) is not None:
            return Compression(f"{plan.scheme}: llama.cpp's mix, the codes that were trained", "none", "", "", 0)
        if not plan.uses_imatrix:
            return Compression(method, "none", "", "", 0)
        workshop = self._workshop
        matrix = workshop.importance_file
        tokens = read_importance(matrix.path).tokens
        if workshop.given_importance is not None:
            return Compression(method, f"{workshop.given_importance.name} ({matrix.sha256[:12]})", "", "", tokens)
        text = workshop.calibration_text
        return Compression(method, "computed here", text.name, text.sha256, tokens)
