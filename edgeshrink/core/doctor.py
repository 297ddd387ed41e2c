"""What `edgeshrink doctor` found: one line a thing, and the fix where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "missing", "absent"]


@dataclass(frozen=True, slots=True)
class DoctorLine:
    """One thing that was looked at.

    `status`: ok works; warn works, but not as it should; missing is needed and not there; absent is not needed, and
    `detail` says what goes without it. `fix` is what to do, "" where nothing can or need be done.
    """

    section: str
    name: str
    status: Status
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """All lines, in the order they are shown."""

    lines: tuple[DoctorLine, ...]

    @property
    def can_build(self) -> bool:
        """Nothing that a build needs is missing."""
        return all(line.status != "missing" for line in self.lines)
