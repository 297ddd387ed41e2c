"""What is asked of a file whose codes were trained: are they in it, and does it say what the model said."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.core.grid import Grid
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import Plan
from edgeshrink.core.quality import Check
from edgeshrink.evaluate.checks.agreement import NAME as AGREEMENT
from edgeshrink.evaluate.checks.agreement import agreement_in_child
from edgeshrink.evaluate.checks.trained_codes import NAME as CODES
from edgeshrink.evaluate.subject import Subject
from edgeshrink.export.executorch.trained import executorch_codes_differ
from edgeshrink.export.onnx.trained import onnx_codes_differ
from edgeshrink.planning.requested import default_delegate

_DIFFER = {"onnx": onnx_codes_differ, "executorch": executorch_codes_differ}


def trained_checks(plan: Plan, artifact: Path, grid: Grid, facts: ModelFacts, threads: int) -> tuple[Check, ...]:
    """Of the folder `artifact`, an ONNX or an ExecuTorch file made of the codes of `grid`."""
    return _codes(plan, artifact, grid, facts), trained_agreement(plan, artifact, grid, threads)


def trained_agreement(plan: Plan, artifact: Path, grid: Grid, threads: int) -> Check:
    """The finished file against the model as it was trained, where the backend is the one that training imitates."""
    imitated = default_delegate(plan.format)
    if plan.delegate != imitated:
        return Check(AGREEMENT, "skipped", f"training imitates {imitated}, and the file is for {plan.delegate}")
    subject = Subject(artifact, plan.runtime, plan.delegate)
    return agreement_in_child(subject, grid.file.parent, plan.format, threads=threads)


def _codes(plan: Plan, artifact: Path, grid: Grid, facts: ModelFacts) -> Check:
    if plan.format == "executorch" and plan.delegate != default_delegate(plan.format):
        return Check(CODES, "skipped", f"how {plan.delegate} keeps weights in a .pte is its own")
    wrong = _DIFFER[plan.format](artifact, grid, facts)
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return Check(CODES, "failed", f"{wrong[0]}{more}: the file has other codes than those that were trained")
    return Check(CODES, "ok", f"{len(grid.tensors)} tensors hold exactly the codes that were trained")
