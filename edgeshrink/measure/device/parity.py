"""The same greedy text on the device and here: a cheap proof that the artifact computes on the device's processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.errors import RuntimeFailed
from edgeshrink.measure.device.events import Greedy
from edgeshrink.measure.loading import Emit
from edgeshrink.runtimes.child import run_job
from edgeshrink.runtimes.registry import runtime

PROMPT_TOKENS = 32
COUNT = 32


def parity_reading(artifact: Path, said: Greedy, *, context: int, threads: int) -> Reading:
    """Share of the device's greedily chosen ids that this host's CPU chooses, too, before the first difference.

    After a difference the two texts go on from different words, and say nothing any more.
    """
    if not said.ids or not said.prompt:
        return Unmeasured("the device chose no ids")
    parameters = {
        "path": str(artifact.resolve()),
        "prompt": list(said.prompt),
        "count": len(said.ids),
        "context": context,
        "threads": threads,
    }
    try:
        here = run_job("edgeshrink.measure.device.parity:greedy_here", parameters)["ids"]
    except RuntimeFailed as error:
        return Unmeasured(f"this host could not compute the same: {error.message}")
    assert isinstance(here, list)
    pairs = list(zip(said.ids, here, strict=True))
    same = next((at for at, (there, chosen) in enumerate(pairs) if there != chosen), len(pairs))
    how = f"{same} of {len(pairs)} greedy ids as on this host's CPU, after the same {len(said.prompt)} ids"
    return Measured(same / len(pairs), n=len(pairs), how=how)


def greedy_here(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """In the child: `count` greedy ids after `prompt`. Stop ids do not stop it."""
    opened = runtime("llama_cpp").load(
        Path(parameters["path"]), context=parameters["context"], threads=parameters["threads"], all_logits=False
    )
    with opened as session:
        ids = [int(session.prefill(parameters["prompt"]).argmax())]
        while len(ids) < parameters["count"]:
            ids.append(int(session.decode(ids[-1]).argmax()))
    return {"ids": ids}
