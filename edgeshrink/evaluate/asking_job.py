"""The child that answers: it loads the subject once, has all prompts rendered, and answers item by item.

The prompts go through the file's own template in a bounded process of their own. Many short runs of this are made, so
it imports nothing that only the parent needs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, nullcontext
from itertools import repeat
from pathlib import Path
from typing import Any

from edgeshrink.evaluate.answering import Answerer
from edgeshrink.evaluate.probe_lines import PROBES, answers_line, read_probes
from edgeshrink.evaluate.probes import Answer, Probe, Refused
from edgeshrink.evaluate.rendering import render_probes
from edgeshrink.evaluate.subject import Subject
from edgeshrink.runtimes.interface import Session

_RENDERED = "rendered.jsonl"
_TOLD_EVERY_S = 0.25
Emit = Callable[[dict[str, object]], None]


def job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Write the answers file. Parameters: see `asking.ask`."""
    folder, context = Path(parameters["folder"]), int(parameters["context"])
    subject = Subject.of(parameters["subject"])
    with ExitStack() as stack:
        session = stack.enter_context(
            subject.open(context=context, threads=int(parameters["threads"]), all_logits=False)
        )
        stopped = _render(session, folder, parameters)
        answerer = Answerer(session, context)
        out = stack.enter_context(Path(parameters["file"]).open("w", encoding="utf-8"))
        told = time.monotonic()
        asked = zip(read_probes(folder / PROBES), _rendered(folder / _RENDERED, stopped), strict=False)
        for done, ((identity, probes), prompts) in enumerate(asked, start=1):
            answers = [_answer(answerer, *pair) for pair in zip(probes, prompts, strict=False)]
            out.write(answers_line(identity, answers))
            if time.monotonic() - told > _TOLD_EVERY_S:
                told = time.monotonic()
                out.flush()
                emit({"done": done, "total": parameters["total"]})
    emit({"done": parameters["total"], "total": parameters["total"]})
    return {}


def _answer(answerer: Answerer, probe: Probe, prompt: dict[str, Any]) -> Answer:
    if "refusal" in prompt:
        return Refused(prompt["refusal"])
    return answerer.answer(probe, prompt["text"], chat=prompt["chat"])


def _render(session: Session, folder: Path, parameters: dict[str, Any]) -> str | None:
    """Leave _RENDERED in `folder`; why it ends before its end, or None."""
    template = session.chat_template if parameters["chats"] else None
    return render_probes(
        template,
        folder / PROBES,
        folder / _RENDERED,
        prompts=parameters["prompts"],
        context=parameters["context"],
        bos=_spelled(session, session.bos_id),
        eos=_spelled(session, session.eos_id),
    )


def _spelled(session: Session, token: int | None) -> str:
    return "" if token is None else session.detokenize([token]).decode("utf-8", "replace")


def _rendered(file: Path, stopped: str | None) -> Iterator[Iterable[dict[str, Any]]]:
    """The prompts of each item; of those that a stopped template left unwritten, refusals."""
    with file.open(encoding="utf-8") if file.exists() else nullcontext(()) as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:  # it was stopped in the middle of a line
                break
    yield from repeat(repeat({"refusal": stopped or "it was not rendered"}))
