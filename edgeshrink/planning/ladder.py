"""The ladder: which scheme to try first, and where to go from a verdict. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeshrink.core.plan import Candidate


@dataclass(frozen=True, slots=True)
class Tried:
    """A rung that was built. `quality` and `fits` are None where a line could not be judged."""

    scheme: str
    quality: bool | None
    fits: bool | None


@dataclass(frozen=True, slots=True)
class Move:
    """The next scheme, or None: stop and keep `keep`."""

    scheme: str | None
    keep: str
    why: str


def first(candidates: Sequence[Candidate], preferred: str) -> Move:
    """Start at the preferred scheme; one that is predicted not to fit gives way to the largest below that does."""
    names = [candidate.scheme for candidate in candidates]
    start = names.index(preferred)
    for candidate in reversed(candidates[: start + 1]):
        if candidate.fits is not False:
            why = (
                "the target's preferred scheme"
                if candidate.scheme == preferred
                else f"{preferred} is predicted not to fit"
            )
            return Move(candidate.scheme, candidate.scheme, why)
    smallest = names[0]
    return Move(smallest, smallest, f"no scheme is predicted to fit; the smallest, {candidates[0].why}")


def following(candidates: Sequence[Candidate], tried: Sequence[Tried]) -> Move:
    """Up where quality fails and the next rung has room; down where the artifact does not fit; else stop."""
    names = [candidate.scheme for candidate in candidates]
    last = tried[-1]
    seen = {rung.scheme for rung in tried}
    index = names.index(last.scheme)
    if last.quality is False:
        above = index + 1
        if above >= len(names):
            return Move(None, last.scheme, "quality fails on the highest rung")
        if names[above] in seen:
            return Move(None, last.scheme, f"quality fails here, and {names[above]} did not fit")
        if candidates[above].fits is False:
            return Move(None, last.scheme, f"quality fails, and {names[above]} is predicted not to fit")
        return Move(names[above], last.scheme, "quality fails and the budget has room above")
    if last.fits is False:
        below = index - 1
        if below < 0:
            return Move(None, last.scheme, "over the budget on the lowest rung")
        if names[below] in seen:
            return Move(None, last.scheme, f"over the budget here, and {names[below]} failed on quality")
        return Move(names[below], last.scheme, "over the budget as measured")
    return Move(None, last.scheme, "quality and budget hold" if last.quality and last.fits else "nothing failed")
