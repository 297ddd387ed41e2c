"""Power and energy as a session saw them: from which source, of what, how surely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeshrink.core.reading import Reading

Origin = Literal["measured", "inferred", "modelled", "unavailable"]
"""inferred: a real sensor whose unit or sign was guessed; modelled: computed by the system from use, not sensed."""


@dataclass(frozen=True, slots=True)
class PowerSample:
    """Watts at `at_s` on the device's clock since boot, seconds."""

    at_s: float
    watts: float


@dataclass(frozen=True, slots=True)
class PowerRecord:
    """One source during one session. `why`: what an inference rests on, or why there is nothing.

    `scope` is what the watts include ("whole module, VDD_IN", "processor package"). `energy` of a token lies in
    `Measurements.energy_mj_per_token`, net of the idle baseline; `gross_mj_per_token` has the baseline in it.
    """

    source: str
    scope: str
    origin: Origin
    why: str
    rate_hz: float | None
    baseline_w: Reading
    decode_w: Reading
    gross_mj_per_token: Reading
    timeline: tuple[PowerSample, ...] = ()
    idle: tuple[float, float] | None = None
    """From and to of the rest that the baseline was taken from, on the clock of the timeline."""
    decodes: tuple[tuple[float, float], ...] = ()
    """From and to of every decode that `decode_w` and the energy are of, on the clock of the timeline."""
