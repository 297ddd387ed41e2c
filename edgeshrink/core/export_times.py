"""What an export took on this host."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExportTimes:
    """Seconds of each stage in order, and what the exporting process took at its peak (None where not known)."""

    stages: tuple[tuple[str, float], ...]
    peak_rss_bytes: int | None
    notes: tuple[str, ...] = ()
    """What was decided on the way, in sentences."""

    @property
    def seconds(self) -> float:
        return sum(seconds for _, seconds in self.stages)

    def then(self, later: ExportTimes) -> ExportTimes:
        """Both, one after the other."""
        peaks = [peak for peak in (self.peak_rss_bytes, later.peak_rss_bytes) if peak is not None]
        return ExportTimes((*self.stages, *later.stages), max(peaks) if peaks else None, (*self.notes, *later.notes))
