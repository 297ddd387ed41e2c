"""RAPL, the energy counters of Intel and AMD processors, as Linux shows them.

Source: the kernel's Documentation/power/powercap/powercap.rst. `energy_uj` counts microjoules and starts again at 0
after `max_energy_range_uj`. The counters are those of the whole package: other programs and idle power are in it,
DRAM, display and power supply are not.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

_POWERCAP = Path("/sys/class/powercap")
_PACKAGE_ZONE = re.compile(r"intel-rapl:\d+")


class Rapl:
    """All processor packages together."""

    scope = "RAPL, processor packages: everything that ran on them, idle power included; not DRAM, not the board"

    def __init__(self, powercap: Path = _POWERCAP) -> None:
        self._powercap = powercap
        self._before: dict[Path, int] = {}

    def available(self) -> str | None:
        if not self._powercap.is_dir():
            return f"{self._powercap} does not exist" + ("" if sys.platform == "linux" else f" on {sys.platform}")
        zones = self._zones()
        if not zones:
            return f"{self._powercap} has no intel-rapl package zone"
        for zone in zones:
            try:
                _microjoules(zone / "energy_uj")
                _microjoules(zone / "max_energy_range_uj")
            except PermissionError:
                return f"{zone / 'energy_uj'} may only be read by root"
            except (OSError, ValueError) as error:
                return f"{zone / 'energy_uj'} cannot be read: {error}"
        return None

    def start(self) -> None:
        self._before = {zone: _microjoules(zone / "energy_uj") for zone in self._zones()}

    def stop(self) -> float:
        total = 0
        for zone, before in self._before.items():
            spent = _microjoules(zone / "energy_uj") - before
            if spent < 0:
                spent += _microjoules(zone / "max_energy_range_uj")
            total += spent
        return total / 1e6

    def _zones(self) -> list[Path]:
        """Zones named package-N. Zones below them are parts of them, and psys is the whole board with them in it."""
        found = []
        for zone in sorted(self._powercap.iterdir()):
            if not _PACKAGE_ZONE.fullmatch(zone.name):
                continue
            try:
                name = (zone / "name").read_text().strip()
            except OSError:
                continue
            if name.startswith("package"):
                found.append(zone)
        return found


def _microjoules(file: Path) -> int:
    return int(file.read_text())
