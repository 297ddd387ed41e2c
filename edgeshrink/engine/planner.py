"""The verb `plan`: what fits, before any work. Of a language model it reads configuration and headers alone.

A network is asked what it is in a child process: its function has to be run for that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgeshrink.core.network import NetworkSource
from edgeshrink.core.plan import Candidate, Plan
from edgeshrink.core.request import Request
from edgeshrink.engine.machine import known_calibration
from edgeshrink.engine.opened import OpenModel, network_of, open_model
from edgeshrink.engine.situation import check_request, find_device, find_situation, requested_formats
from edgeshrink.errors import UnsupportedModel
from edgeshrink.planning.ladder import first
from edgeshrink.planning.requested import ALL, request_for
from edgeshrink.planning.resolve import candidates, plan_for, preferred_scheme


@dataclass(frozen=True, slots=True)
class Outlook:
    """Every candidate as predicted, and the scheme that a build would start with: its Plan, where it has tensors.

    A network's `plan` is None: its tensors are known when it is exported. Its `context` is 0.
    """

    model: str
    parameters: int
    target: str
    profile: str
    profile_name: str
    format: str
    context: int
    candidates: tuple[Candidate, ...]
    start: str
    plan: Plan | None
    why: str
    notes: tuple[str, ...]


def outlook(request: Request) -> Outlook:
    """Answer what a build of `request` would try and what would come of it."""
    return outlooks(request)[0]


def outlooks(request: Request) -> tuple[Outlook, ...]:
    """The same for every format that the request is about: one, or all that take the model. UnsupportedModel of the
    first where none does."""
    source = network_of(request)
    if source is not None:
        return _networks(request, source)
    check_request(request)
    target, _, _ = find_device(request, None)
    model = open_model(request, fetch_weights=False)
    found: list[Outlook] = []
    refused: list[UnsupportedModel] = []
    for name in requested_formats(request, target):
        try:
            found.append(_outlook(request_for(request, name), model))
        except UnsupportedModel as error:
            refused.append(error)
    if not found:
        raise refused[0]
    refusals = tuple(f"left out: {error.message}" for error in refused)
    return tuple(replace(one, notes=(*one.notes, *refusals)) for one in found)


def _outlook(request: Request, model: OpenModel) -> Outlook:
    situation = find_situation(request, model, known_calibration())
    ladder = candidates(situation)
    start = first(ladder, preferred_scheme(situation, ladder))
    plan = plan_for(situation, start.keep)
    notes = [*plan.notes]
    if not model.facts.has_weights:
        notes.append("no weights here: shapes come from the configuration alone")
    if model.vocabulary is None:
        notes.append("no tokenizer here: file bytes leave the vocabulary out")
    return Outlook(
        model=model.name,
        parameters=model.parameters,
        target=situation.target.id,
        profile=situation.profile.id,
        profile_name=situation.profile.name,
        format=situation.format_name,
        context=situation.context,
        candidates=ladder,
        start=start.keep,
        plan=plan,
        why=start.why,
        notes=tuple(notes),
    )


def _networks(request: Request, source: NetworkSource) -> tuple[Outlook, ...]:
    from edgeshrink.engine.networks.situation import find_network_situation, network_formats
    from edgeshrink.runtimes.network_facts import network_facts

    facts = network_facts(source)
    target, _, _ = find_device(request, None)
    names = network_formats(target, source) if request.format == ALL else (request.format,)
    found = []
    for name in names:
        situation = find_network_situation(request_for(request, name) if name else request, facts)
        found.append(
            Outlook(
                model=facts.name,
                parameters=facts.parameters,
                target=target.id,
                profile=situation.profile.id,
                profile_name=situation.profile.name,
                format=situation.format_name,
                context=0,
                candidates=situation.candidates,
                start=situation.start,
                plan=None,
                why="the scheme that was asked for" if request.scheme else "the target's preferred scheme",
                notes=facts.notes,
            )
        )
    return tuple(found)
