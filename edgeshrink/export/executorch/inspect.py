"""How much of a `.pte` its delegate computes, read from the file in a child process."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from edgeshrink.core.delegation import Delegation
from edgeshrink.runtimes.child import run_job

# Delegates by the name that a plan has for them -> that in the program.
BACKENDS = {"xnnpack": "XnnpackBackend", "coreml": "CoreMLBackend", "vulkan": "VulkanBackend"}
_RUN_HERE = ("xnnpack",)


def inspect_pte(file: Path, delegate: str) -> Delegation:
    """Any `.pte`; DataError where it is none. Operators of a blob that does not tell them are counted as 0."""
    found = run_job("edgeshrink.export.executorch.job:inspect_job", {"file": str(file)})
    return delegation_of(found, delegate)


def delegation_of(found: dict[str, Any] | dict[str, object], delegate: str) -> Delegation:
    """What `contents.read_pte` found, seen from the delegate that was asked for."""
    kernels = cast(dict[str, int], found["kernels"])
    delegates = cast(dict[str, dict[str, int | None]], found["delegates"])
    others = {
        f"delegate {name}": entry["operators"] or 0
        for name, entry in delegates.items()
        if name != BACKENDS.get(delegate)
    }
    left = sorted((kernels | others).items(), key=lambda entry: (-entry[1], entry[0]))
    mine = delegates.get(BACKENDS.get(delegate, ""), {})
    inside, weights = mine.get("operators") or 0, mine.get("weight_bytes") or 0
    return Delegation(
        asked=delegate,
        delegated_operators=inside,
        operators=inside + sum(count for _, count in left),
        delegated_weight_bytes=weights,
        weight_bytes=cast(int, found["constant_bytes"])
        + sum(entry["weight_bytes"] or 0 for entry in delegates.values()),
        left=tuple(left),
        duplicates=tuple((str(what), int(lost)) for what, lost in cast(list[tuple[str, int]], found["duplicates"])),
        runs_here=delegate in _RUN_HERE,
    )
