"""The meters by name, loaded when they are asked for."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import cast

from edgeshrink.errors import PlanError
from edgeshrink.measure.power.interface import Meter

METERS: dict[str, str] = {"rapl": "edgeshrink.measure.power.rapl:Rapl"}


def meter(name: str) -> Meter:
    """The meter of that name; PlanError lists the known ones."""
    place = METERS.get(name)
    if place is None:
        raise PlanError(f"unknown power source {name!r}", hint=f"known power sources: {', '.join(METERS)}")
    module, _, attribute = place.partition(":")
    return cast(Meter, getattr(importlib.import_module(module), attribute)())


def first_available(names: Sequence[str]) -> tuple[str, Meter] | str:
    """The first of `names` that can be read here, with its name; else the sentence that says what was tried."""
    tried = []
    for name in names:
        if name not in METERS:
            tried.append(f"{name}: edgeshrink has no such meter")
            continue
        candidate = meter(name)
        reason = candidate.available()
        if reason is None:
            return name, candidate
        tried.append(f"{name}: {reason}")
    return "no power source: " + ("tried " + "; ".join(tried) if tried else "the target names none")
