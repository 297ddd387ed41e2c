"""Several suites as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from edgeshrink.core.suite import FamilyPlan, Suite, TextPlan
from edgeshrink.errors import UsageError


def joined(suites: Sequence[Suite]) -> Suite:
    """All that any of them asks and reads; where several have the same family, the later one's options hold."""
    asked: dict[str, FamilyPlan] = {}
    texts: dict[str, TextPlan] = {}
    for suite in suites:
        for plan in suite.asking:
            asked[plan.family] = _both(asked.get(plan.family), plan)
        texts |= {plan.label: plan for plan in suite.texts}
    harness_items = [suite.harness_items for suite in suites if suite.harness and suite.harness_items]
    return Suite(
        name="+".join(suite.name for suite in suites),
        asking=tuple(asked.values()),
        reading=tuple(dict.fromkeys(name for suite in suites for name in suite.reading)),
        texts=tuple(texts.values()),
        text_tokens=max(suite.text_tokens for suite in suites),
        looks=max(suite.looks for suite in suites),
        harness=tuple(dict.fromkeys(task for suite in suites for task in suite.harness)),
        harness_items=max(harness_items, default=None),
        folder=suites[-1].folder,
    )


def _both(one: FamilyPlan | None, other: FamilyPlan) -> FamilyPlan:
    if one is None:
        return other
    if "files" not in one.options or "files" not in other.options:
        return replace(other, items=max(one.items, other.items))
    options = {**one.options, **other.options, "files": [*one.options["files"], *other.options["files"]]}
    if "sha256" in one.options or "sha256" in other.options:
        options["sha256"] = [*one.options.get("sha256", ()), *other.options.get("sha256", ())]
    if other.family == "own":
        refuse_doubles(options["files"])
    return replace(other, items=one.items + other.items, options=options)


def refuse_doubles(tables: Sequence[Mapping[str, Any]]) -> None:
    """UsageError where two files of items would make one slice."""
    names = [table["name"] for table in tables]
    if doubles := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"two files of items are both called own/{doubles[0]}", hint="give one another name = ...")
