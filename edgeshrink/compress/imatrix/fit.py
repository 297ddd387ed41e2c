"""Does an importance matrix belong to this model?"""

from __future__ import annotations

import math
from collections.abc import Iterable

from edgeshrink.core.importance import Importance
from edgeshrink.core.plan import TensorPlan
from edgeshrink.errors import DataError

# llama.cpp's imatrix tool leaves these out unless asked, so their absence is nothing to speak of.
_USUALLY_ABSENT = ("token_embd.weight", "output.weight")
_HINT = "use an importance matrix computed for this model, or --imatrix auto"


def check_importance(importance: Importance, tensors: Iterable[TensorPlan]) -> tuple[str, ...]:
    """Notes on what the matrix lacks; DataError where it is another model's (names or widths do not fit)."""
    known = {tensor.name: tensor for tensor in tensors}
    matrices = {name: tensor for name, tensor in known.items() if len(tensor.shape) > 1}
    shared = matrices.keys() & importance.sums.keys()
    if not shared:
        theirs = ", ".join(sorted(importance.sums)[:3])
        raise DataError(f"the importance matrix is of another model: it knows {theirs} ..., none is here", hint=_HINT)
    for name in sorted(shared):
        width, columns = importance.sums[name].size, math.prod(matrices[name].shape) // matrices[name].shape[-2]
        if width != columns:
            raise DataError(
                f"the importance matrix is of another model: {name} has {width} columns there and {columns} here",
                hint=_HINT,
            )
    foreign = sorted(name for name in importance.sums.keys() - known.keys() if name.startswith("blk."))
    if foreign:
        raise DataError(
            f"the importance matrix is of another model: {len(foreign)} of its tensors are not here,"
            f" {foreign[0]} first",
            hint=_HINT,
        )
    missing = sorted(matrices.keys() - shared - set(_USUALLY_ABSENT))
    if not missing:
        return unseen_experts(importance)
    return (
        f"the importance matrix says nothing about {len(missing)} of {len(matrices)} matrices"
        f" ({', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}): quantized without it",
        *unseen_experts(importance),
    )


def unseen_experts(importance: Importance) -> tuple[str, ...]:
    """A note where the calibration text sent no token to some experts."""
    counts = {name: counts for name, counts in importance.counts.items() if "ffn_down_exps" in name}
    unseen = sum(int((found == 0).sum()) for found in counts.values())
    if not unseen:
        return ()
    total = sum(found.size for found in counts.values())
    return (
        f"no token of the calibration text went to {unseen} of {total} experts: they are quantized as if all their"
        " columns mattered alike (a longer --calibration FILE would reach more)",
    )
