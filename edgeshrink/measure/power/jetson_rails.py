"""Which of a Jetson's power rails make up the whole, so that none is counted twice.

Sources: NVIDIA's Jetson Linux Developer Guides, "Platform Power and Performance" (R32.6, R34.1, R35, R38), and the
device trees as energymon's JetsonPowerRails.md lists them. An input rail alone is the whole, its parts lie behind it.
Modules without one have input rails side by side: all of them are added, and VDDQ_VDD2_1V8AO is not one of them, as
its power is part of VIN_SYS_5V0's. VDD_MUX and what is called *_IO or *_SYS belong to a carrier board.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_MODULE = "the whole module, not its carrier board"


@dataclass(frozen=True, slots=True)
class Total:
    """Rails whose sum is the whole, and what the whole is."""

    rails: tuple[str, ...]
    scope: str

    def __str__(self) -> str:
        return f"{self.scope}: {' + '.join(self.rails)}"


TOTALS = (
    Total(("VIN",), "module and carrier board"),  # AGX Thor, INA238
    Total(("VDD_IN",), _MODULE),  # TX1, TX2, Xavier NX, Orin NX, Orin Nano
    Total(("POM_5V_IN",), _MODULE),  # Nano
    Total(("5V_IN",), _MODULE),  # Xavier NX as the guide names it
    Total(("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), _MODULE),  # AGX Orin
    Total(("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"), _MODULE),  # AGX Thor, INA3221 alone
    Total(("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"), _MODULE),  # AGX Xavier
)


def total_of(labels: Iterable[str]) -> Total | None:
    """The first of TOTALS whose rails are all there."""
    there = set(labels)
    return next((total for total in TOTALS if there.issuperset(total.rails)), None)
