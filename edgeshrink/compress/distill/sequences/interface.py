"""One answer of a teacher, and what a filter is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Sample:
    """One of the answers to the prompt `item`: a chat (`messages`, `tools`) or plain `text` that `answer` goes on with.

    `finished`: the teacher ended it, and no limit did. `control`: names of control tokens that stood inside it, which
    its text does not show. `scorer` names what judges it against `expected`, with `options`; "": any answer will do.
    `logprob`: natural logarithm of its probability behind the prompt, over `tokens`; None where nobody asked.
    """

    item: str
    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...]
    text: str
    answer: str
    finished: bool
    control: tuple[str, ...] = ()
    scorer: str = ""
    expected: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    logprob: float | None = None
    tokens: int = 0


class Filter(Protocol):
    """`name` stands in records; `told` says of those that it drops what they were: "wrong", "cut off"."""

    @property
    def name(self) -> str: ...

    @property
    def told(self) -> str: ...

    def keeps(self, sample: Sample) -> bool:
        """Whether `sample` may be learnt from. It is asked once for each, of those that earlier filters kept."""
