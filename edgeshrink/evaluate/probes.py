"""What a model is asked, and what it answers: values that cross to the child process as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Message = Mapping[str, Any]
"""{"role": ..., "content": ...}, as chat templates take it."""

TEMPERATURES: tuple[float, ...] = tuple(round(2.0 ** (step / 4), 6) for step in range(-12, 17))
"""1/8 to 16: confidence is recorded at each of them, so that one can be fitted afterwards."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A chat, rendered by the file's own template, or plain `text`; never both.

    `tools` are functions in OpenAI's form. A template that takes tools is given them; for any other they stand in the
    system message, before what it says, as `Tools: [{"name": ..., "description": ..., "arguments": [names]}]`.
    """

    messages: tuple[Message, ...] = ()
    text: str = ""
    tools: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Generate:
    """Write on: greedily, or drawn at `temperature` with `seed`. Ends at a stop token, at one of `stop` (which is then
    cut off), after `max_tokens`, or where the context is full."""

    prompt: Prompt
    max_tokens: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int = 0
    kind: Literal["generate"] = "generate"


@dataclass(frozen=True, slots=True)
class Choose:
    """How probable is each of `options` behind the prompt?"""

    prompt: Prompt
    options: tuple[str, ...]
    kind: Literal["choose"] = "choose"


Probe = Generate | Choose


@dataclass(frozen=True, slots=True)
class Said:
    """`text` without control tokens; `control` names those that stood inside it, the ending one left out.

    `confidence`: natural logarithm of the smallest probability of a chosen token (the stop token included), at each
    of TEMPERATURES.
    """

    text: str
    tokens: int
    ended: Literal["stop token", "stop text", "limit", "context"]
    control: tuple[str, ...]
    confidence: tuple[float, ...]
    kind: Literal["said"] = "said"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Of each option: natural logarithm of its probability behind the prompt, summed over its `tokens`."""

    logprobs: tuple[float, ...]
    tokens: tuple[int, ...]
    kind: Literal["chosen"] = "chosen"

    @property
    def best(self) -> int:
        return max(range(len(self.logprobs)), key=lambda index: self.logprobs[index])


@dataclass(frozen=True, slots=True)
class Refused:
    """No answer: the template or the runtime refused this prompt, or it does not fit the context."""

    reason: str
    kind: Literal["refused"] = "refused"


Answer = Said | Chosen | Refused
