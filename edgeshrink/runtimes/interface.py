"""What every runtime offers: load a file, say facts about itself, prefill, decode, logits.

A runtime is a module with the functions of `Runtime`; what `load` returns is a `Session`. `registry.py` names them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.measurement import RuntimeFacts

Logits = NDArray[np.float32]


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


class Runtime(Protocol):
    """A module that implements a runtime."""

    NAME: str
    SUFFIXES: tuple[str, ...]

    def build_id(self) -> str:
        """Changes whenever the code that computes changes; needs no file to be loaded."""

    def load(
        self,
        path: Path,
        *,
        context: int,
        threads: int,
        gpu_layers: int = 0,
        kv_type: str = "f16",
        flash_attention: bool = False,
        batch: int = 512,
        vocab_only: bool = False,
        all_logits: bool = True,
        eval_callback: Any = None,
    ) -> Session:
        """Open `path`. `all_logits=False` reserves memory for one row of logits, as an app would; then `logits`
        is refused. RuntimeFailed where the file is missing, garbage or of an architecture the runtime lacks."""
