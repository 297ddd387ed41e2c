"""One expert of several: their matrices in one order of channels, averaged by shares. numpy only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeshrink.compress.prune.experts.alignment import Matrices, channel_order
from edgeshrink.compress.prune.experts.cut import NewExpert

Floats = NDArray[np.float32]


def combined(new: NewExpert, expert: Callable[[int], Matrices]) -> Matrices:
    """Gate, up and down of `new`, of what `expert` gives for each member; one that is alone keeps its numbers."""
    lead = expert(new.members[0])
    parts = [lead]
    for member in new.members[1:]:
        gate, up, down = expert(member)
        order = channel_order(lead, (gate, up, down))
        parts.append((gate[order], up[order], down[:, order]))
    gate, up, down = (mean([part[matrix] for part in parts], new.shares) for matrix in range(3))
    if new.channels is None:
        return gate, up, down
    kept = list(new.channels)
    return gate[kept], up[kept], down[:, kept]


def router_rows(rows: Floats, layer: Sequence[NewExpert]) -> Floats:
    """(new experts, hidden) of the old router's `rows` (experts, hidden)."""
    return np.stack([mean([rows[member] for member in new.members], new.shares) for new in layer])


def mean(parts: Sequence[Floats], shares: Sequence[float]) -> Floats:
    """By `shares`, added up in float64; a single part as it is."""
    if len(parts) == 1:
        return parts[0]
    total = np.zeros(parts[0].shape, dtype=np.float64)
    for part, share in zip(parts, shares, strict=True):
        total += share * part
    return total.astype(np.float32)
