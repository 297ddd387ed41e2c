"""A look at the held-out rows: the objective, the text's cross-entropy, and that in bits a byte. Imports torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgeshrink.compress.training.batches import micro_batches
from edgeshrink.compress.training.distributed import World
from edgeshrink.compress.training.record import Run
from edgeshrink.compress.training.wrapped import batch_of
from edgeshrink.core.training import HeldOutPoint

CROSS_ENTROPY = "cross-entropy"


def look(module: Any, corpus: Any, rows: NDArray[np.int64], run: Run, world: World, *, mixed: bool) -> HeldOutPoint:
    """The student as it is after `run.step` on the held-out `rows`; all workers take part."""
    sums = [0.0] * 4
    for micro in micro_batches(rows, world.place.rank, world.place.workers, run.micro_rows):
        batch = batch_of(corpus, micro.rows, micro.live, part="held_out", step=run.step, device=world.device)
        with torch.no_grad(), torch.autocast(world.device.type, torch.bfloat16, enabled=mixed):
            losses, counted = module.held_out(batch), module.counted(batch)
        values = (losses.total, losses.parts[CROSS_ENTROPY], counted.total, counted.text)
        for place, value in enumerate(values):
            sums[place] += float(value)
    total, entropy, weight, text = world.total(sums)
    nbytes = corpus.held_out_bytes(rows)
    return HeldOutPoint(
        step=run.step,
        objective=total / max(weight, 1.0),
        cross_entropy=entropy / max(text, 1.0),
        bits_per_byte=entropy / math.log(2) / nbytes if nbytes else None,
    )
