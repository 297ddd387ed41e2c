"""What a built language model says of its chats: the template, and the tokens that begin and end a text.

The artifact's own runtime is asked, in a child process: each format keeps these elsewhere, and llama.cpp knows more
tokens that end an answer than a GGUF's header names. No weight is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from edgeshrink.errors import DataError
from edgeshrink.runtimes.child import run_job
from edgeshrink.runtimes.registry import runtime

_JOB = "edgeshrink.bundle.chat_words:job"
_TIMEOUT_S = 300.0
_SHORTEST_CONTEXT = 64


@dataclass(frozen=True, slots=True)
class ChatWords:
    """`bos` and `eos` are texts, "" where there is none; `stop` the texts of `stop_ids`, in their order.

    `adds_bos`: the tokenizer puts BOS before a text by itself.
    """

    template: str | None = field(repr=False)
    bos: str
    eos: str
    adds_bos: bool
    stop: tuple[str, ...]
    stop_ids: tuple[int, ...]


def read_words(path: Path, runtime_name: str) -> ChatWords:
    """Of the artifact at `path` (a file, or the folder that a build wrote), opened by a runtime ("llama_cpp", "onnx",
    "executorch").

    ToolMissing where that runtime is not installed here, RuntimeFailed where it refuses the artifact, DataError where
    its template is no text.
    """
    found = cast(dict[str, Any], run_job(_JOB, {"path": str(path), "runtime": runtime_name}, timeout_s=_TIMEOUT_S))
    if any("\ud800" <= char <= "\udfff" for char in found["template"] or ""):
        raise DataError(f"the chat template of {path} holds half a character: it is no text", hint="mend the source")
    return ChatWords(
        template=found["template"],
        bos=found["bos"],
        eos=found["eos"],
        adds_bos=found["adds_bos"],
        stop=tuple(found["stop"]),
        stop_ids=tuple(found["stop_ids"]),
    )


def job(parameters: dict[str, Any], emit: Any) -> dict[str, object]:
    """The child's side."""
    opened = runtime(parameters["runtime"])
    with opened.load(Path(parameters["path"]), context=_SHORTEST_CONTEXT, threads=1, vocab_only=True) as session:

        def text(token: int | None) -> str:
            return "" if token is None else session.piece(token, special=True).decode("utf-8", "replace")

        return {
            "template": session.chat_template,
            "bos": text(session.bos_id),
            "eos": text(session.eos_id),
            "adds_bos": session.adds_bos,
            "stop": [text(token) for token in session.stop_ids],
            "stop_ids": list(session.stop_ids),
        }
