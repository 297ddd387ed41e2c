"""The verb `plan`: what fits, before any work. Reads configuration and headers; imports no torch and runs nothing."""

from __future__ import annotations

from dataclasses import dataclass

from edgeshrink.core.plan import Candidate, Plan
from edgeshrink.core.request import Request
from edgeshrink.engine.machine import known_calibration
from edgeshrink.engine.opened import open_model
from edgeshrink.engine.situation import check_request, find_situation
from edgeshrink.planning.ladder import first
from edgeshrink.planning.resolve import candidates, plan_for


@dataclass(frozen=True, slots=True)
class Outlook:
    """Every candidate as predicted, and the Plan of the one that a build would start with."""

    model: str
    parameters: int
    target: str
    profile: str
    profile_name: str
    context: int
    candidates: tuple[Candidate, ...]
    plan: Plan
    why: str
    notes: tuple[str, ...]


def outlook(request: Request) -> Outlook:
    """Answer what a build of `request` would try and what would come of it."""
    check_request(request)
    model = open_model(request, fetch_weights=False)
    situation = find_situation(request, model, known_calibration())
    ladder = candidates(situation)
    start = first(ladder, _preferred(request, situation.format.preferred_scheme, ladder))
    notes = [*plan_for(situation, ladder[0].scheme).notes]
    if not model.facts.has_weights:
        notes.append("no weights here: shapes come from the configuration alone")
    if model.vocabulary is None:
        notes.append("no tokenizer here: file bytes leave the vocabulary out")
    assert start.scheme is not None
    return Outlook(
        model=model.name,
        parameters=model.parameters,
        target=situation.target.id,
        profile=situation.profile.id,
        profile_name=situation.profile.name,
        context=situation.context,
        candidates=ladder,
        plan=plan_for(situation, start.scheme),
        why=start.why,
        notes=tuple(notes),
    )


def _preferred(request: Request, preferred: str, ladder: tuple[Candidate, ...]) -> str:
    return ladder[0].scheme if request.scheme is not None else preferred
