"""What the build asks of a format: refuse early, make the artifact, examine it, say how it was made."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from edgeshrink.core.delegation import Delegation
from edgeshrink.core.plan import Plan
from edgeshrink.core.quality import Check
from edgeshrink.core.report import Compression
from edgeshrink.engine.artifacts import Finished


class Exporter(Protocol):
    """One format. Asking for a result twice runs its step once: the store answers."""

    def check_before_work(self) -> None:
        """Refuse in the first second what would fail later: a missing extra, a source that this format cannot take."""

    def artifact(self, plan: Plan) -> Finished:
        """The artifact of `plan`. PlanError where making it needs more memory than there is."""

    def own_checks(self, plan: Plan, artifact: Path) -> tuple[Check, ...]:
        """What only this format can be asked: tensors and types in the file against the plan."""

    def delegation(self, plan: Plan, artifact: Finished) -> Delegation | None:
        """How much of the file its delegate computes; None where the format knows no delegates."""

    def compression(self, plan: Plan) -> Compression:
        """How the artifact was made, for the report."""
