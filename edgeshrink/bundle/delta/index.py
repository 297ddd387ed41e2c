"""What bytes are already there, and where: every piece of the old build, and of the new as far as it is written."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgeshrink.core.delta import Place, Which

_Spot = tuple[Which, int, int | None, int]


@dataclass(slots=True)
class Index:
    """Pieces by sha256. Of equal ones the first counts, unless another lies right behind what was copied last."""

    _first: dict[bytes, _Spot] = field(default_factory=dict)
    _others: dict[_Spot, bytes] = field(default_factory=dict)

    def add(self, digest: bytes, place: Place) -> None:
        spot = (place.of, place.file, place.layer, place.at)
        if self._first.setdefault(digest, spot) != spot:
            self._others[spot] = digest

    def find(self, digest: bytes, nbytes: int, previous: Place | None) -> Place | None:
        """Where `nbytes` of that digest are; behind `previous`, if they are there too."""
        spot = self._first.get(digest)
        if spot is not None and previous is not None:
            behind = (previous.of, previous.file, previous.layer, previous.at + previous.nbytes)
            spot = behind if self._others.get(behind) == digest else spot
        return None if spot is None else Place(spot[0], spot[1], spot[3], nbytes, spot[2])
