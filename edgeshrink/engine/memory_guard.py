"""Refuse an export that would not fit this machine's memory, before it starts."""

from __future__ import annotations

from edgeshrink.core.reading import Estimate, Prediction
from edgeshrink.devices.memory import available_ram
from edgeshrink.errors import PlanError


def require_memory(what: str, needed: Prediction, *, otherwise: str) -> None:
    """PlanError with the prediction where less RAM is free; `what` names the export, `otherwise` a way around it."""
    free = available_ram()
    if isinstance(needed, Estimate) and needed.value > free:
        raise PlanError(
            f"exporting {what} needs about {needed.value / 2**30:.1f} GiB of RAM and {free / 2**30:.1f} GiB is free"
            f" ({needed.method})",
            hint=f"close other programs, build on a larger machine, or {otherwise}",
        )
