"""The key-value store that torchrun's agent keeps for its workers. Imports torch, and of ours nothing that is slow."""

from __future__ import annotations

import os
from typing import Any

from torch import distributed as dist

from edgeshrink.compress.training import calls
from edgeshrink.compress.training.torchrun import Place
from edgeshrink.compress.training.torchrun import place as this_place
from edgeshrink.errors import UsageError


def open_store(place: Place) -> Any:
    """The store; None for a worker that is alone. UsageError where another launcher started the workers."""
    if place.workers == 1:
        return None
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        raise UsageError(
            "the workers were not started by torchrun, or by one that shares no store with them",
            hint="torchrun --nproc-per-node N -m edgeshrink ...; leave TORCH_DISABLE_SHARE_RDZV_TCP_STORE unset, and "
            "for several machines use --rdzv-backend c10d",
        )
    store, _, _ = next(iter(dist.rendezvous("env://")))
    return store


def dismiss(parameters: dict[str, Any], emit: Any) -> dict[str, object]:
    """A job: send the other workers home."""
    place = this_place()
    store = open_store(place)
    if store is not None:
        calls.publish(store, place, None)
    return {}
