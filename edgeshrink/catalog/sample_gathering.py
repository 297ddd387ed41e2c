"""Samples taken up to a number and to a size: those of large pictures would fill the memory long before they help."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from edgeshrink.catalog.samples import Sample, Samples

Role = Literal["calibration", "evaluation"]
Tick = Callable[[], None]
LIMIT_BYTES: dict[Role, int] = {"calibration": 128 << 20, "evaluation": 256 << 20}
"""Of all samples of a part together; one sample is always taken."""


def no_tick() -> None:
    """Nobody counts."""


def nbytes(sample: Sample) -> int:
    """Of its arrays."""
    return sum(array.nbytes for array in sample.arrays.values())


def gather(
    role: Role,
    made: Iterable[Sample],
    available: int,
    kind: str,
    classes: tuple[str, ...] = (),
    *,
    tick: Tick = no_tick,
) -> Samples:
    """The first of the `available` samples that `made` makes, as many as `role` may hold; `tick` is called after each.

    The origin is their number and `kind`, and says where they would have been more.
    """
    items: list[Sample] = []
    total = 0
    for sample in made:
        total += nbytes(sample)
        if items and total > LIMIT_BYTES[role]:
            break
        items.append(sample)
        tick()
    return Samples(tuple(items), f"{len(items)} {kind}{capped(role, len(items), available)}", classes)


def capped(role: Role, count: int, available: int) -> str:
    """What an origin ends with where `count` of the `available` were taken."""
    return "" if count >= available else f" ({available} would be more than {LIMIT_BYTES[role] / (1 << 20):g} MiB)"
