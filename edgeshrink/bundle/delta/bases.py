"""Which old bytes are a good dictionary for new ones: those of the same tensor, else of the same place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from edgeshrink.bundle.delta.ranges import Range
from edgeshrink.core.delta import MOST_BASE_BYTES, Place

_AROUND_BYTES: Final = 64 << 10


@dataclass(slots=True)
class Bases:
    """The parts of the old build by their names; the first of a name counts."""

    _by_name: dict[str, tuple[Place, int, bool]] = field(default_factory=dict)

    def add(self, found: Range, place: Place, size: int) -> None:
        """`place` holds the part; `size` is that of the file, or the layer, that it is in."""
        self._by_name.setdefault(found.name, (place, size, found.tensor))

    def of_name(self, found: Range, offset: int, nbytes: int) -> Place | None:
        """For `nbytes` at `offset` of the new part `found`."""
        known = self._by_name.get(found.name)
        if known is None or known[2] != found.tensor:
            return None
        place, size, tensor = known
        if tensor and place.nbytes != found.nbytes:
            return None  # another type: no two bytes of it would agree
        end = offset + nbytes
        if nbytes >= found.nbytes:  # all of it, and it may have been longer before
            end = max(end, place.nbytes)
        return _around(place, size, place.at + offset, place.at + end)

    def behind(self, previous: Place, size: int, nbytes: int) -> Place | None:
        """For `nbytes` that follow a copy of `previous`."""
        start = previous.at + previous.nbytes
        return _around(previous, size, start, start + nbytes)


def _around(place: Place, size: int, start: int, end: int) -> Place | None:
    start, end = max(0, start - _AROUND_BYTES), min(size, end + _AROUND_BYTES)
    end = min(end, start + MOST_BASE_BYTES)
    return Place(place.of, place.file, start, end - start, place.layer) if end > start else None
