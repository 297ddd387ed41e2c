"""What of a student is trained, as the training job takes it: everything, or its values on the grid of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgeshrink.compress.adapters.order import FORM as LORA
from edgeshrink.compress.adapters.order import lora_parameters
from edgeshrink.compress.grid.rounded import Rounding, planned_rounding
from edgeshrink.compress.training.order import GRID, WHOLE
from edgeshrink.core.plan import Plan, TensorPlan
from edgeshrink.core.shrinking_request import Teaching
from edgeshrink.core.training import LoraSettings
from edgeshrink.engine.shrink.source import Source
from edgeshrink.engine.situation import check_request, find_situation
from edgeshrink.engine.trained_codes import rounded_tensors
from edgeshrink.errors import PlanError, UsageError
from edgeshrink.planning.adapters import check_targets
from edgeshrink.planning.resolve import candidates, plan_for

_ROUTERS = "edgeshrink.compress.training.router_form:RouterForm"


@dataclass(frozen=True, slots=True)
class Form:
    """`name` and `parameters` are the training order's; `told` what of them its key has, `inputs` digests of the files
    that they name. `rounding`: what the frozen base of an adapter is rounded to first."""

    name: str = WHOLE
    parameters: Mapping[str, Any] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    adapter: bool = False
    """The result is an adapter, to be put into the base where the whole is wanted."""
    rounding: Rounding | None = None


def check_form(student: Source, teaching: Teaching) -> None:
    """Before any work: UsageError where `teaching` contradicts itself, or names layers that the student has not;
    PlanError where its scheme rounds nothing, and for a grid of experts."""
    if (teaching.objective.kind == "grid") != (teaching.scheme is not None):
        raise UsageError("which grid?", hint="--objective grid and --scheme NAME go together")
    if teaching.scheme is not None and teaching.lora is not None:
        raise UsageError(
            "low-rank updates are no codes of a file: either --objective grid or --lora-rank",
            hint="--base-scheme rounds the base of an adapter",
        )
    if teaching.lora is not None:
        check_targets(student.workshop.model.facts, teaching.lora.targets)
    if teaching.scheme is not None:
        _rounded(grid_plan(student, teaching.scheme, teaching.format))


def form_for(student: Source, teaching: Teaching, corpus: Path) -> Form:
    """Of a run on `corpus`; `check_form` has been asked."""
    if teaching.lora is not None:
        return _lora(student, teaching.lora, teaching.settings.seed)
    if teaching.scheme is not None:
        return _grid(student, teaching.scheme, teaching.format, corpus)
    return Form(_ROUTERS, {}, {"form": _ROUTERS}) if teaching.trains == "routers" else Form()


def _lora(student: Source, lora: LoraSettings, seed: int) -> Form:
    importance, rounding = None, None
    if lora.scheme is not None:
        plan = grid_plan(student, lora.scheme, "gguf")
        importance = student.workshop.importance_file if plan.uses_imatrix else None
        rounding = planned_rounding(plan, None if importance is None else importance.path)
    brief = student.brief()
    parameters = lora_parameters(
        lora, base=student.digest, base_name=brief.name, license=brief.license, rounding=rounding, seed=seed
    )
    told = None if rounding is None else {"scheme": rounding.scheme, "types": dict(rounding.types)}
    return Form(
        LORA,
        parameters,
        {"form": LORA, "lora": {**parameters, "rounding": told}},
        {} if importance is None else {"importance": importance.sha256},
        adapter=not lora.merged,
        rounding=rounding,
    )


def grid_plan(student: Source, scheme: str, format: str) -> Plan:
    """What the file of `scheme` will hold of `student`."""
    workshop = student.workshop
    request = replace(workshop.request, scheme=scheme, format=format)
    check_request(request)
    situation = find_situation(request, workshop.model, None, pre=workshop.pre)
    return plan_for(situation, candidates(situation)[0].scheme)


def _grid(student: Source, scheme: str, format: str, corpus: Path) -> Form:
    plan = grid_plan(student, scheme, format)
    quantized = _rounded(plan)
    importance = student.workshop.importance_file if plan.uses_imatrix else None
    told = {
        "format": plan.format,
        "scheme": plan.scheme,
        "settings": dict(plan.settings),
        "tensors": {name: tensor.type for name, tensor in quantized.items()},
    }
    return Form(
        GRID,
        {
            **told,
            "probe_rows": str(corpus.absolute()),
            "gguf_names": {name: tensor.name for name, tensor in quantized.items()},
            "importance": None if importance is None else str(importance.path),
        },
        {"form": GRID, "grid": told},
        {} if importance is None else {"importance": importance.sha256},
    )


def _rounded(plan: Plan) -> dict[str, TensorPlan]:
    """The tensors that `plan` quantizes, by transformers' names. PlanError: there are none, or some are of experts."""
    found = rounded_tensors(plan)
    if any(tensor.experts for tensor in found.values()):
        raise PlanError(
            f"a mixture of experts ({plan.model_type}) cannot be trained for a grid",
            hint="its routers can be healed by distillation: --objective logits, or prune --experts N --heal routers",
        )
    if not found:
        raise PlanError(f"{plan.scheme} rounds nothing, so there is no grid to train for", hint="name another --scheme")
    return found
