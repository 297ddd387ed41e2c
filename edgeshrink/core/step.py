"""The contract of a step: one unit of work whose result the store keeps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from edgeshrink.core.events import Listener


class Step(Protocol):
    """A step's whole input is in `key_parts`: equal parts mean an equal result, so the store may answer for it.

    `requires` refuses early (nothing was written yet); `call` fills `workdir` and touches nothing else;
    `ensures` looks at what `call` wrote and raises StepFailed if it is not what was promised.

    A step with `resumes = True` is given what a run of the same key that was broken off left in `workdir`, and goes on
    from it; it writes aside and renames, and at its end only the result stands there.
    """

    @property
    def id(self) -> str: ...

    @property
    def version(self) -> int: ...

    def key_parts(self) -> Mapping[str, Any]:
        """Parameters, digests of inputs and tool pins, as JSON values."""
        ...

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None: ...

    def ensures(self, workdir: Path) -> None: ...
