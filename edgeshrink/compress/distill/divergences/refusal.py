"""The refusal that three divergences share."""

from __future__ import annotations

from edgeshrink.errors import PlanError


def needs_all(name: str) -> PlanError:
    """Of a divergence that no sample of the teacher's probabilities gives without bias."""
    return PlanError(
        f"the divergence {name} weighs every token by the student's probability, and a cache of the teacher holds a "
        "few tokens of each distribution",
        hint="distil without the cache, or from it with --divergence forward or skew-forward",
    )
