"""What a training order says of a run that trains low-rank updates alone. No torch."""

from __future__ import annotations

from typing import Any, Final

from edgeshrink.compress.grid.rounded import Rounding
from edgeshrink.core.training import LoraSettings

FORM: Final = "edgeshrink.compress.adapters.form:LoraForm"


def lora_parameters(
    settings: LoraSettings,
    *,
    base: str,
    base_name: str,
    license: str | None,
    rounding: Rounding | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """The `form_parameters` of an order whose form is FORM. `base`: digest of the student's folder; `base_name` what
    people call it. `rounding`: what the frozen weights are rounded to first, where `settings.scheme` names one."""
    return {
        "rank": settings.rank,
        "alpha": settings.alpha,
        "targets": list(settings.targets),
        "merged": settings.merged,
        "base": base,
        "base_name": base_name,
        "license": license,
        "rounding": None if rounding is None else rounding.json(),
        "seed": seed,
    }
