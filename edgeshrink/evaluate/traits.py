"""What of a language model decides which items it can be asked: its template, its context, how it cuts text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgeshrink.evaluate.subject import Subject


@dataclass(frozen=True, slots=True)
class Traits:
    """`chat`: the file has a chat template. `characters_per_token`: of the text that it was measured on."""

    chat: bool
    characters_per_token: float


def read_traits(subject: Subject, text: str) -> Traits:
    """Open the vocabulary of `subject` in a child process and cut `text` with it. RuntimeFailed where refused."""
    from edgeshrink.runtimes.child import run_job

    answer: dict[str, Any] = run_job("edgeshrink.evaluate.traits:job", {"subject": subject.as_json(), "text": text})
    return Traits(**answer)


def job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """The child's side."""
    with Subject.of(parameters["subject"]).open_vocabulary() as session:
        ids = session.tokenize(parameters["text"], add_special=False, parse_special=False)
        return {
            "chat": bool(session.chat_template),
            "characters_per_token": len(parameters["text"]) / max(1, len(ids)),
        }
