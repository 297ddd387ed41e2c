"""`build --adapter`: adapters that ship beside an artifact, each judged as the pair that runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edgeshrink.core.adapter import Adapter, BuiltAdapter
from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.plan import Plan
from edgeshrink.core.quality import Quality
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.report import Report
from edgeshrink.core.suite import Suite
from edgeshrink.core.verdict import Verdict, VerdictLine
from edgeshrink.engine.adapter_pairs import Pair, adapter_file, examined_pair, pair_of, quality_of
from edgeshrink.engine.adapters_opened import SUFFIXES, OpenAdapter
from edgeshrink.engine.climb import Built, gated
from edgeshrink.engine.suite.of_build import examination_of, gains_of_build
from edgeshrink.engine.suite.run import run_suite
from edgeshrink.engine.workshop import Workshop
from edgeshrink.evaluate.subject import Subject
from edgeshrink.judging.adapters import adapter_line
from edgeshrink.judging.judge import overall
from edgeshrink.planning.requested import delegate_here
from edgeshrink.planning.resolve import Situation

ADAPTERS: Final = "adapters"
"""The folder of a build's folder that they stand in."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """One that ships: what the report says of it, its line of the verdict, and its file."""

    told: BuiltAdapter
    line: VerdictLine
    file: Path


def ship_adapters(
    workshop: Workshop, situation: Situation, built: Built, suite: Suite | None, adapters: Sequence[OpenAdapter]
) -> tuple[Shipped, ...]:
    """Each of `adapters` as a file for the artifact of `built`, compared and asked as the pair that it will run as."""
    return tuple(_shipped(workshop, situation, built, suite, one) for one in adapters)


def told_with(report: Report, shipped: Sequence[Shipped]) -> Report:
    """The report with what ships beside the artifact: a pair that fails fails the build."""
    if not shipped:
        return report
    notes = report.notes
    if report.verdict.outcome == "FAIL":
        notes = (*notes, "no other model was made of it: its adapters would not fit that one")
    lines = (*report.verdict.lines, *(one.line for one in shipped))
    verdict = Verdict(overall(tuple(line.outcome for line in lines)), lines)
    return replace(report, adapters=tuple(one.told for one in shipped), verdict=verdict, notes=notes)


def _shipped(workshop: Workshop, situation: Situation, built: Built, suite: Suite | None, one: OpenAdapter) -> Shipped:
    plan, artifact, adapter = built.plan, built.artifact, one.adapter
    file = adapter_file(workshop, one, plan.format, artifact.path, artifact.sha256)
    here = delegate_here(situation.request, plan.delegate, plan.format, on_this_host=situation.on_this_host)
    pair = pair_of(workshop, one, Subject(artifact.path, plan.runtime, here), artifact.sha256, file)
    budget, gains = gated(situation.profile.budget, workshop.request), gains_of_build(workshop, artifact.nbytes)
    quality = built.quality if isinstance(built.quality, Unmeasured) else quality_of(workshop, pair)
    behaviour: Behaviour | Unmeasured | None = None
    if suite is not None:
        behaviour = _behaviour(workshop, suite, situation, built, pair, quality)
    line = adapter_line(adapter.name, budget, quality, behaviour, gains)
    nbytes = file.path.stat().st_size
    told = BuiltAdapter(
        name=adapter.name,
        file=f"{ADAPTERS}/{adapter.name}{SUFFIXES[plan.format]}",
        nbytes=nbytes,
        sha256=file.sha256,
        rank=adapter.rank,
        share_of_base=nbytes / artifact.nbytes,
        mean_kl=quality if isinstance(quality, Unmeasured) else quality.mean_kl,
        behaviour=behaviour if isinstance(behaviour, Behaviour) else None,
        notes=(*one.notes, *_other_scheme(adapter, plan)),
        outcome=line.outcome,
        quality=None if isinstance(quality, Unmeasured) else quality,
        given_sha256=one.sha256,
        parameters=adapter.parameters,
        alpha=adapter.alpha,
        targets=adapter.targets,
        scheme=adapter.scheme,
        license=adapter.license,
    )
    return Shipped(told, line, file.path)


def _behaviour(
    workshop: Workshop, suite: Suite, situation: Situation, built: Built, pair: Pair, quality: Quality | Unmeasured
) -> Behaviour | Unmeasured:
    if isinstance(quality, Unmeasured):
        return quality
    if quality.failed_checks:
        return Unmeasured("a check on the base with its adapter failed: no suite was run")
    floor = gated(situation.profile.budget, workshop.request).quality
    gains = gains_of_build(workshop, built.artifact.nbytes)
    examination = examination_of(workshop, suite, floor, pair.subject, pair.sha256, built.plan.context, gains)
    found = examined_pair(examination, pair)
    return found if isinstance(found, Unmeasured) else run_suite(found)


def _other_scheme(adapter: Adapter, plan: Plan) -> Iterator[str]:
    if adapter.scheme is not None and adapter.scheme != plan.scheme:
        yield (
            f"adapter {adapter.name} was trained on its base at {adapter.scheme}, and runs on it at {plan.scheme}: "
            "what it learnt about the rounding of the one may not hold of the other"
        )
