"""Prompts as the text that a model reads: rendered by its file's own chat template, in a bounded process.

A template that takes tools is given them. For any other they stand in the system message, before what it says. A
template that refuses a system message gets its words before the first user's, as apps do. One that can ask for an
answer without thoughts does so: answers are a few tokens long, and thoughts alone would fill them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.evaluate.probe_lines import read_probes
from edgeshrink.evaluate.probes import Message, Prompt
from edgeshrink.runtimes.chat_bounded import TIMEOUT_S, TODAY, limit_memory
from edgeshrink.runtimes.child import run_job
from edgeshrink.runtimes.tool_offers import with_offer

SECONDS_EACH = 0.05
"""Time that a prompt may add to TIMEOUT_S of the whole file; templates of real models take 0.2 ms to 2 ms."""
_CHARACTERS_PER_TOKEN = 64
_JOB = "edgeshrink.evaluate.rendering:job"


def render_probes(
    template: str | None, probes: Path, file: Path, *, prompts: int, context: int, bos: str, eos: str
) -> str | None:
    """Write the prompts of all `probes` to `file`, in a child process where there is a template to run; why it was
    stopped, or None.

    A line an item: a list with one entry for each of its probes, {"text", "chat"} or {"refusal"}. `prompts` says how
    many there are, as the time allowed grows with them. What cannot fit `context` tokens is refused unwritten.
    """
    parameters = {
        "template": template,
        "probes": str(probes),
        "file": str(file),
        "characters": context * _CHARACTERS_PER_TOKEN,
        "variables": {"bos_token": bos, "eos_token": eos, "today": TODAY, "enable_thinking": False},
    }
    if template is None:
        _write(parameters)
        return None
    try:
        run_job(_JOB, parameters, timeout_s=TIMEOUT_S + SECONDS_EACH * prompts)
    except RuntimeFailed as error:
        return f"the chat template was stopped: {error.message}"
    return None


def job(parameters: dict[str, Any], emit: Any) -> dict[str, object]:
    """The child's side."""
    limit_memory()
    _write(parameters)
    return {}


def _write(parameters: Mapping[str, Any]) -> None:
    with Path(parameters["file"]).open("w", encoding="utf-8") as out:
        for _, probes in read_probes(Path(parameters["probes"])):
            rendered = [_entry(parameters, probe.prompt) for probe in probes]
            out.write(json.dumps(rendered) + "\n")


def _entry(parameters: Mapping[str, Any], prompt: Prompt) -> dict[str, Any]:
    if not prompt.messages:
        return {"text": prompt.text, "chat": False}
    template = parameters["template"]
    if template is None:
        return {"refusal": "the file has no chat template"}
    try:
        text = render_prompt(template, prompt, **parameters["variables"])
    except DataError as error:
        return {"refusal": error.message}
    if len(text) > parameters["characters"]:
        return {"refusal": f"the prompt does not fit the context: it has {len(text)} characters"}
    return {"text": text, "chat": True}


def render_prompt(template: str, prompt: Prompt, **variables: Any) -> str:
    """The text of a chat, ending where the model is to answer; DataError where the template refuses it."""
    messages = prompt.messages
    if prompt.tools:
        plain = _attempt(template, messages, **variables)
        taken = _attempt(template, messages, tools=prompt.tools, **variables)
        if isinstance(taken, str) and taken != plain:
            return taken
        messages = with_offer(messages, prompt.tools)
    text = _attempt(template, messages, **variables)
    if isinstance(text, str):
        return text
    others = [_attempt(template, messages, tools=(), **variables)]  # some templates are made for tools alone
    if messages[0].get("role") == "system":
        others.append(_attempt(template, _folded(messages), **variables))
    for other in others:
        if isinstance(other, str):
            return other
    raise text


def _folded(messages: Sequence[Message]) -> tuple[Message, ...]:
    system, *others = messages
    if not others or others[0].get("role") != "user":
        return tuple(messages)
    content = f"{system.get('content') or ''}\n\n{others[0].get('content') or ''}"
    return ({**others[0], "content": content}, *others[1:])


def _attempt(template: str, messages: Sequence[Message], **variables: Any) -> str | DataError:
    from edgeshrink.runtimes.chat import render_chat  # only the child that renders needs its libraries

    try:
        return render_chat(template, messages, **variables)
    except DataError as error:
        return error
