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
    """Share of the device's greedily chosen ids that this host's CPU would have chosen after the same ids before.

    1 means that both say the same text. Kernels of another processor add in another order, so where two words are as
    good as equal the choice may differ: that counts once, since this host then goes on from the device's word.
    """
    if not said.ids or not said.prompt:
        return Unmeasured("the device chose no ids")
    parameters = {
        "path": str(artifact.resolve()),
        "prompt": list(said.prompt),
        "ids": list(said.ids),
        "context": context,
        "threads": threads,
    }
    try:
        here = run_job("edgeshrink.measure.device.parity:choices_here", parameters)["choices"]
    except RuntimeFailed as error:
        return Unmeasured(f"this host could not compute the same: {error.message}")
    assert isinstance(here, list)
    same = sum(there == chosen for there, chosen in zip(said.ids, here, strict=True))
    how = (
        f"{same} of {len(said.ids)} greedy ids as this host's CPU chooses them after the same ids, "
        f"behind a prompt of {len(said.prompt)}"
    )
    return Measured(same / len(said.ids), n=len(said.ids), how=how)


def choices_here(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """In the child: the greedy choice after `prompt`, and after each of `ids` but the last."""
    opened = runtime("llama_cpp").load(
        Path(parameters["path"]), context=parameters["context"], threads=parameters["threads"], all_logits=False
    )
    with opened as session:
        choices = [int(session.prefill(parameters["prompt"]).argmax())]
        choices += [int(session.decode(token).argmax()) for token in parameters["ids"][:-1]]
    return {"choices": choices}
