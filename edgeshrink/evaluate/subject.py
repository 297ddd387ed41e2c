"""What is examined: a finished file or folder, and what is to run it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.runtimes import registry
from edgeshrink.runtimes.interface import Session


@dataclass(frozen=True, slots=True)
class Subject:
    """`path`: a file, or the folder of files that belong together. `runtime` is its name in the registry, `delegate`
    the backend that is asked for on this machine. `adapter`: a file of low-rank updates that run beside the weights."""

    path: Path
    runtime: str
    delegate: str
    adapter: Path | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Subject:
        """What `as_json` made, in the child."""
        adapter = Path(parameters["adapter"]) if "adapter" in parameters else None
        return cls(Path(parameters["path"]), parameters["runtime"], parameters["delegate"], adapter)

    def as_json(self) -> dict[str, str]:
        told = {"path": str(self.path.resolve()), "runtime": self.runtime, "delegate": self.delegate}
        return told if self.adapter is None else {**told, "adapter": str(self.adapter.resolve())}

    def open(self, *, context: int, threads: int, batch: int = 512, all_logits: bool = True) -> Session:
        """Loaded for comparing: in the most precise arithmetic that its runtime has. RuntimeFailed where refused.

        Without `all_logits` room is made for the last position's only."""
        return self._load(context=context, threads=threads, batch=batch, vocab_only=False, all_logits=all_logits)

    def open_vocabulary(self) -> Session:
        """The tokenizer, without the weights where the runtime can do without."""
        return self._load(context=64, threads=1, batch=64, vocab_only=True, all_logits=False)

    def _load(self, *, context: int, threads: int, batch: int, vocab_only: bool, all_logits: bool) -> Session:
        return registry.runtime(self.runtime).load(
            self.path,
            context=context,
            threads=threads,
            delegate=self.delegate,
            exact=True,
            batch=batch,
            vocab_only=vocab_only,
            all_logits=all_logits,
            adapter=self.adapter,
        )
