"""What families share that ask a task and look whether the answer is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeshrink.evaluate.answers import answered
from edgeshrink.evaluate.probes import Answer, Chosen, Prompt, Said
from edgeshrink.evaluate.slices.interface import Item, MetricFacts, Score, Shown, Value
from edgeshrink.evaluate.slices.thoughts import without_thoughts

RIGHT = MetricFacts("right", "share")


def user(text: str) -> Mapping[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> Mapping[str, str]:
    return {"role": "assistant", "content": text}


def words(answer: Answer) -> str:
    """What the model wrote behind its thoughts; nothing where it was refused."""
    return without_thoughts(answer.text) if isinstance(answer, Said) else ""


def seen(answer: Answer) -> str:
    """The answer, for a person."""
    if isinstance(answer, Said):
        return answer.text
    return f"option {answer.best}" if isinstance(answer, Chosen) else f"(no answer: {answer.reason})"


def read(prompt: Prompt) -> str:
    """The prompt, for a person."""
    if not prompt.messages:
        return prompt.text
    names = [tool.get("function", tool).get("name", "") for tool in prompt.tools]
    offer = [f"tools: {', '.join(names)}"] if names else []
    return "\n".join((*offer, *(f"{message['role']}: {message['content']}" for message in prompt.messages)))


def asked(item: Item, index: int = 0) -> str:
    """The prompt of one of its probes, for a person."""
    return read(item.probes[index].prompt)


def task_score(
    slice_name: str,
    item: Item,
    answers: tuple[Answer, Answer],
    right: tuple[bool, bool],
    *,
    parts: Sequence[str] = (),
    more: Mapping[str, tuple[Value, Value]] | None = None,
) -> Score:
    """Of an item that is one task with one probe: reference's and candidate's answers, and whether they are right."""
    reference, candidate = answers
    return Score(
        slice_name,
        item.id,
        {RIGHT.name: (float(right[0]), float(right[1])), **(more or {})},
        Shown(asked(item), str(item.facts["expected"]), seen(reference), seen(candidate)),
        tuple(parts),
        (answered(reference, right[0]), answered(candidate, right[1])),
    )
