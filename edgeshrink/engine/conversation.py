"""The verb `run`: one prompt, one answer, streamed."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.devices.cpu import default_threads
from edgeshrink.engine.artifacts import find_artifact, trained_context
from edgeshrink.errors import UsageError
from edgeshrink.planning.requested import default_delegate
from edgeshrink.runtimes.chat_bounded import render_chat_bounded
from edgeshrink.runtimes.generate import generate, stream_text
from edgeshrink.runtimes.interface import Session
from edgeshrink.runtimes.registry import runtime

# A context as long as some models claim would take all memory for one answer.
DEFAULT_CONTEXT_MAX = 4096


@dataclass(frozen=True, slots=True)
class Conversation:
    """What to run and how. `raw` leaves the chat template out. `adapter`: a name in the artifact's folder, a file of
    runtime, or an adapter's folder."""

    artifact: Path
    system: str | None = None
    raw: bool = False
    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 0.95
    seed: int = 0
    context: int | None = None
    threads: int | None = None
    gpu_layers: int = 0
    adapter: str | None = None


def say(conversation: Conversation, prompt: str) -> Iterator[str]:
    """The answer to `prompt`, in pieces of text as they are decoded."""
    found = find_artifact(conversation.artifact)
    if found.network:
        raise UsageError(f"{found.path} is a network: it generates no text", hint="measure it: edgeshrink profile")
    context = conversation.context or min(trained_context(found, otherwise=DEFAULT_CONTEXT_MAX), DEFAULT_CONTEXT_MAX)
    threads = conversation.threads or default_threads()
    with contextlib.ExitStack() as stack:
        adapter = None
        if conversation.adapter is not None:
            from edgeshrink.engine.adapter_choice import ready_adapter

            adapter = stack.enter_context(ready_adapter(conversation.adapter, conversation.artifact, found))
        with _native_errors_hidden():
            session = stack.enter_context(
                runtime(found.runtime).load(
                    found.path,
                    context=context,
                    threads=threads,
                    delegate=default_delegate(found.format),
                    gpu_layers=conversation.gpu_layers,
                    all_logits=False,
                    adapter=adapter,
                )
            )
            ids = _prompt_ids(session, conversation, prompt)  # tokenizers are opened when first needed
        if len(ids) >= session.context:
            raise UsageError(
                f"the prompt has {len(ids)} tokens and the context is {session.context}", hint="raise --context"
            )
        tokens = generate(
            session,
            ids,
            max_tokens=conversation.max_tokens,
            stop_ids=session.stop_ids,
            temperature=conversation.temperature,
            top_p=conversation.top_p,
            seed=conversation.seed,
        )
        yield from stream_text(session, tokens)


@contextlib.contextmanager
def _native_errors_hidden() -> Iterator[None]:
    """Keep off the screen what libraries of other languages write on stderr; what goes wrong is raised, not written."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # stderr is closed: nothing to hide
            kept = os.dup(2)
            stack.callback(os.close, kept)
            _flush_errors()
            with Path(os.devnull).open("wb") as nothing:
                os.dup2(nothing.fileno(), 2)
            stack.callback(os.dup2, kept, 2)
            stack.callback(_flush_errors)
        yield


def _flush_errors() -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none at all: pythonw
        sys.stderr.flush()


def _prompt_ids(session: Session, conversation: Conversation, prompt: str) -> list[int]:
    if conversation.raw or not session.chat_template:
        text = f"{conversation.system}\n{prompt}" if conversation.system else prompt
        return session.tokenize(text, add_special=True, parse_special=False)
    messages = [{"role": "user", "content": prompt}]
    if conversation.system:
        messages.insert(0, {"role": "system", "content": conversation.system})
    bos, eos = _piece(session, session.bos_id), _piece(session, session.eos_id)
    text = render_chat_bounded(session.chat_template, messages, bos_token=bos, eos_token=eos)
    # A template that writes BOS itself must not get a second one.
    has_bos = bool(bos) and text.startswith(bos)
    return session.tokenize(text, add_special=not has_bos, parse_special=True)


def _piece(session: Session, token: int | None) -> str:
    return "" if token is None else session.detokenize([token]).decode("utf-8", "replace")
