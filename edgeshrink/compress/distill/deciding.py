"""How a model decides the held-out cases of a corpus. The parent's side: imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgeshrink.compress.corpus.cases import Family, Side
from edgeshrink.core.events import Listener, silent

JOB: Final = "edgeshrink.compress.distill.deciding_job:job"


@dataclass(frozen=True, slots=True)
class Decided:
    """Of one model. `cases`: by the side that is right, (how many, how many went to the other). `pairs`: by family,
    (near-miss pairs, those of which both cases were decided rightly)."""

    cases: Mapping[Side, tuple[int, int]]
    pairs: Mapping[Family, tuple[int, int]]

    @property
    def json(self) -> dict[str, object]:
        return {"cases": dict(self.cases), "pairs": dict(self.pairs)}


def decided_of(data: Mapping[str, Mapping[str, list[int]]]) -> Decided:
    """`Decided.json` read back."""
    cases, pairs = (
        {name: (int(count), int(some)) for name, (count, some) in data[part].items()} for part in ("cases", "pairs")
    )
    return Decided(cases, pairs)  # type: ignore[arg-type]


def decide(model: Path, corpus: Path, *, threads: int, listener: Listener = silent) -> Decided:
    """The Hugging Face folder `model` on the held-out decisions of `corpus` (`corpus.decisions`), in a child process.

    A model decides for the first side of a family (a call, a refusal) where the tokens that open it are likelier
    together than all others. DataError where either folder is not whole, RuntimeFailed where the child dies.
    """
    from edgeshrink.runtimes.child import run_job
    from edgeshrink.runtimes.progress import forward

    parameters = {"model": str(model), "corpus": str(corpus), "threads": threads}
    return decided_of(run_job(JOB, parameters, on_event=forward(listener, "decisions")))  # type: ignore[arg-type]
