"""A chat template in a process of its own, with an end to its time and memory: it may loop, or grow, without one."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.runtimes.child import run_job

if TYPE_CHECKING:
    from edgeshrink.runtimes.chat import Message

TIMEOUT_S = 10.0
TODAY = "2026-01-01"
"""What a template sees that writes the date, where prompts must not change over night."""
_MEMORY_BYTES = 2 << 30
_PROMPT_CHARACTERS = 16 << 20
_JOB = "edgeshrink.runtimes.chat_bounded:job"


def render_chat_bounded(
    template: str, messages: Sequence[Message], *, timeout_s: float = TIMEOUT_S, **variables: Any
) -> str:
    """`render_chat` in a child process; a template that takes longer than `timeout_s` is a DataError too."""
    call = {"messages": list(messages), **variables}
    (answer,) = render_chats_bounded(template, [call], timeout_s=timeout_s)
    if isinstance(answer, DataError):
        raise answer
    return answer


def render_chats_bounded(
    template: str, calls: Sequence[Mapping[str, Any]], *, timeout_s: float = TIMEOUT_S
) -> list[str | DataError]:
    """The prompt for each of `calls` (`render_chat`'s arguments by name), or why there is none, from one child."""
    try:
        result = run_job(_JOB, {"template": template, "calls": list(calls)}, timeout_s=timeout_s)
    except RuntimeFailed as error:
        failed = DataError(f"the chat template was stopped: {error.message}", hint=error.hint)
        return [failed for _ in calls]
    answers = cast(list[dict[str, str]], result["answers"])
    return [answer["text"] if "text" in answer else DataError(answer["refusal"]) for answer in answers]


def job(parameters: dict[str, Any], emit: Any) -> dict[str, object]:
    """The child's side."""
    limit_memory()
    return {"answers": [_answer(parameters["template"], call) for call in parameters["calls"]]}


def _answer(template: str, call: Mapping[str, Any]) -> dict[str, str]:
    from edgeshrink.runtimes.chat import render_chat  # only the child needs its libraries

    try:
        text = render_chat(template, **call)
    except DataError as error:
        return {"refusal": error.message}
    if len(text) > _PROMPT_CHARACTERS:
        return {"refusal": f"the chat template wrote {len(text)} characters, at most {_PROMPT_CHARACTERS} are taken"}
    return {"text": text}


def limit_memory() -> None:
    """Of this process, where the system has such a limit (Linux); elsewhere time alone is bounded."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
