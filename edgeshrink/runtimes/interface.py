"""What every runtime offers: load a file, say facts about itself, prefill, decode, logits; or run a network.

A runtime is a module with the functions of `Runtime`; what `load` returns is a `Session`, what `open_network` returns
a `NetworkSession`. `registry.py` names them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.measurement import RuntimeFacts
from edgeshrink.core.network import Port

Logits = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]


class Session(Protocol):
    """One loaded file with one context (a KV cache that grows with `prefill` and `decode`).

    Every method raises RuntimeFailed with the library's own last words. A session is used by one thread.
    """

    @property
    def vocab_size(self) -> int:
        """Number of token ids, and the width of the logits."""

    @property
    def context(self) -> int:
        """Positions that the KV cache holds."""

    @property
    def position(self) -> int:
        """Positions that are filled now."""

    @property
    def chat_template(self) -> str | None:
        """The Jinja text in the file."""

    @property
    def bos_id(self) -> int | None: ...

    @property
    def eos_id(self) -> int | None: ...

    @property
    def adds_bos(self) -> bool:
        """Whether `tokenize(add_special=True)` begins with BOS."""

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """All ids that end a generation, in rising order."""

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Ids of `text`; `add_special` adds BOS/EOS as the file says, `parse_special` reads control tokens in it."""

    def detokenize(self, ids: Sequence[int], *, special: bool = True) -> bytes:
        """The bytes of `ids`; without `special`, control tokens have none."""

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """The bytes that one token adds to a text that has already begun."""

    def reset(self) -> None:
        """Empty the context."""

    def prefill(self, ids: Sequence[int]) -> Logits:
        """Append `ids` to the context; logits (vocab,) of the last of them."""

    def decode(self, token: int) -> Logits:
        """Append one id; logits (vocab,) of what follows it."""

    def logits(self, ids: Sequence[int]) -> Logits:
        """Logits (n, vocab) of every position of `ids`, from an empty context."""

    def iter_logits(self, ids: Sequence[int]) -> Iterator[Logits]:
        """The same in batches (up to the session's batch, vocab): for vocabularies too large to hold at once."""

    def facts(self) -> RuntimeFacts:
        """What runs the file: version, build, the backend that really computes."""

    def close(self) -> None:
        """Give back all memory; closing twice is fine."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class NetworkSession(Protocol):
    """One loaded network. Every method raises RuntimeFailed with the library's own last words."""

    @property
    def inputs(self) -> tuple[Port, ...]: ...

    @property
    def outputs(self) -> tuple[Port, ...]: ...

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Every output by name for one set of inputs by name; RuntimeFailed names an input that is missing or wrong."""

    def facts(self) -> RuntimeFacts:
        """What runs it; `context` is 0."""

    def close(self) -> None:
        """Give back all memory; closing twice is fine."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Runtime(Protocol):
    """A module that implements a runtime. `SUFFIXES`: of the file, or of the main file in a folder, that it loads."""

    NAME: str
    SUFFIXES: tuple[str, ...]

    def build_id(self) -> str:
        """Changes whenever the code that computes changes; needs no file to be loaded.

        ToolMissing, with the pip command, where the packages that it stands on are not installed.
        """

    def preload(self, *, network: bool = False) -> None:
        """Import all that `load` (`network`: `open_network`) stands on, opening no file; ToolMissing as `build_id`."""

    def load(
        self,
        path: Path,
        *,
        context: int,
        threads: int,
        delegate: str = "cpu",
        gpu_layers: int = 0,
        exact: bool = False,
        batch: int = 512,
        vocab_only: bool = False,
        all_logits: bool = True,
        adapter: Path | None = None,
    ) -> Session:
        """Open a language model: a file, or the folder of files that a build wrote for it.

        `exact` asks for the most precise arithmetic that the runtime has (float32 KV cache, no fast attention), as
        comparing does; without, it runs as an app would. `delegate` is the backend asked for: what really ran is in
        `facts().backend`. `vocab_only` loads the tokenizer and no weights, where the runtime can. `all_logits=False`
        reserves memory for one row of logits; then `logits` is refused. `adapter`: a file of low-rank updates, in the
        runtime's own format, that run beside the weights. RuntimeFailed where a file is missing, garbage or of an
        architecture the runtime lacks, or the runtime takes no adapters.
        """

    def open_network(self, path: Path, *, threads: int, delegate: str = "cpu") -> NetworkSession:
        """Open a network; RuntimeFailed where the runtime has none (llama.cpp), or refuses the file."""
