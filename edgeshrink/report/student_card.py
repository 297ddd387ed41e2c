"""`README.md` of a model folder that a step wrote: what it comes from, whose licences it carries, how it was made, and
how it behaves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Protocol

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.bundle import Redistribution
from edgeshrink.core.shrinking import ModelBrief, ShrinkStep
from edgeshrink.core.training import TextSource
from edgeshrink.core.verdict import Verdict
from edgeshrink.errors import Error
from edgeshrink.report.behaviour_card import behaviour_section
from edgeshrink.report.format import human_bytes
from edgeshrink.report.markdown import code, table, words
from edgeshrink.report.shrink_card import step_lines
from edgeshrink.report.shrink_told import (
    brief_text,
    command_text,
    held_out_text,
    kept_text,
    licensed_parts,
    most_lost,
    shape_text,
)

_NO_VERDICT = Verdict("UNKNOWN", ())
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


class Terms(Protocol):
    """What a licence lets people do, as `bundle.licences.expressions.judge_licence` says it."""

    @property
    def redistribution(self) -> Redistribution: ...

    @property
    def note(self) -> str: ...


def student_card(step: ShrinkStep, judge: Callable[[str], Terms] | None = None, verdict: Verdict | None = None) -> str:
    """The card as Markdown with the front matter that model hubs read. Names and texts from outside are escaped.

    `judge` reads licences; without it only those that are missing are told. `verdict` brings the lines of the gates.
    """
    sections = (_what(step), _licences(step, judge), _how(step), _data(step, judge), _figures(step, verdict))
    body = "\n\n".join("\n".join(section) for section in map(tuple, sections) if section)
    return f"{_front_matter(step)}\n{body}\n"


def licence_warnings(step: ShrinkStep, judge: Callable[[str], Terms] | None = None) -> tuple[str, ...]:
    """What whoever passes the model on has to know first: licences that are missing, that forbid it, that nobody here
    can judge, or that ask for more than their text. One sentence each, for the terminal too."""
    return tuple(text for name, stated in licensed_parts(step) if (text := _warning(name, stated, judge)))


def _warning(name: str, stated: str, judge: Callable[[str], Terms] | None) -> str:
    if not stated:
        return f"No licence is stated for {name}: pass this model on only if you hold the rights to it."
    terms = _terms(stated, judge)
    if terms is None or terms.redistribution == "allowed":
        return ""
    says = {
        "forbidden": "forbids to pass on what is made of it",
        "unknown": "may forbid to pass on what is made of it",
        "conditions": "asks for more",
    }[terms.redistribution]
    return f"The licence {stated} of {name} {says}. {terms.note}"


def _terms(stated: str, judge: Callable[[str], Terms] | None) -> Terms | None:
    """None too where nothing is installed that reads an expression of several licences."""
    try:
        return None if judge is None else judge(stated)
    except Error:
        return None


def _models(step: ShrinkStep) -> tuple[ModelBrief, ...]:
    """Whose licences hold: that of the model that was changed, and that of the teacher where it is another one."""
    same = step.teacher.digest == step.before.digest
    return (step.before,) if same else (step.teacher, step.before)


def _front_matter(step: ShrinkStep) -> str:
    tags = ["edgeshrink", "pruned" if step.kind == "prune" else "distilled"]
    entries: dict[str, object] = {"library_name": "transformers", "pipeline_tag": "text-generation", "tags": tags}
    licences = list(dict.fromkeys(brief.license for brief in _models(step) if brief.license))
    if len(licences) == 1:
        entries["license"] = licences[0]
    elif licences:
        entries["license"] = "other"
        entries["license_name"] = " and ".join(licences)
    bases = dict.fromkeys(brief.name for brief in _models(step) if _HUB_ID.fullmatch(brief.name))
    if bases:
        entries["base_model"] = list(bases) if len(bases) > 1 else next(iter(bases))
    lines = (f"{key}: {json.dumps(value, ensure_ascii=True)}" for key, value in entries.items())
    return "\n".join(("---", *lines, "---", ""))


def _what(step: ShrinkStep) -> Iterator[str]:
    yield f"# {words(step.after.name)}"
    yield ""
    made = "Pruned from" if step.kind == "prune" else "A student of"
    source = step.before if step.kind == "prune" else step.teacher
    yield f"{made} {words(source.name)} by edgeshrink {words(step.version)}: {words(kept_text(source, step.after))}."
    yield ""
    after = step.after
    yield f"- **Architecture**: {words(after.model_type)}, {shape_text(after)}, vocabulary {after.shape.vocab:,}"
    yield f"- **Weights**: {after.parameters:,} parameters, {human_bytes(after.nbytes)}, digest {code(after.digest)}"
    yield f"- **Made from**: {words(brief_text(step.before))}, digest {code(step.before.digest)}"
    if step.teacher.digest != step.before.digest:
        yield f"- **Teacher**: {words(brief_text(step.teacher))}, digest {code(step.teacher.digest)}"


def _licences(step: ShrinkStep, judge: Callable[[str], Terms] | None) -> Iterator[str]:
    yield "## Licences"
    yield ""
    for brief in _models(step):
        yield f"- {words(brief.name)}: {words(brief.license or 'not stated')}"
    sources = step.training.sources if step.training else ()
    for source in sources:
        yield f"- {words(source.name)} (data): {words(source.license or 'not stated')}"
    yield ""
    for text in licence_warnings(step, judge):
        yield f"> **Warning**: {words(text)}"
        yield ""
    yield "The texts of the model's licences stand beside this file, where the source brought them."


def _how(step: ShrinkStep) -> Iterator[str]:
    yield "## How it was made"
    yield ""
    yield from (f"- {text}" for text in step_lines(step) if not text.startswith("Trained on"))
    if step.training is not None:
        if told := held_out_text(step.training):
            yield f"- {words(told[:1].upper() + told[1:])}"
        if step.training.stopped:
            yield f"- Ended: {words(step.training.stopped)}"
    for note in (*step.notes, *(step.training.notes if step.training else ())):
        yield f"- {words(note)}"
    if step.command:
        yield ""
        yield f"Command: {code(command_text(step))}"
    yield ""
    yield "`edgeshrink-step.json` has every figure, setting and digest."


def _data(step: ShrinkStep, judge: Callable[[str], Terms] | None) -> Iterator[str]:
    sources = step.training.sources if step.training else ()
    if not sources:
        return
    yield "## Data"
    yield ""
    head = ("Text", "Documents", "Tokens", "Size", "Licence", "Redistribution", "sha256")
    yield from table(head, [_source(source, judge) for source in sources])


def _source(source: TextSource, judge: Callable[[str], Terms] | None) -> tuple[str, ...]:
    terms = _terms(source.license, judge) if source.license else None
    return (
        words(source.name),
        f"{source.documents:,}",
        f"{source.tokens:,}",
        human_bytes(source.nbytes),
        words(source.license or "not stated"),
        "unknown" if terms is None else terms.redistribution,
        code(source.sha256),
    )


def _figures(step: ShrinkStep, verdict: Verdict | None) -> Iterator[str]:
    if isinstance(step.behaviour, Behaviour):
        yield from behaviour_section(step.behaviour, verdict or _NO_VERDICT)
    moved = most_lost(step.failures)
    if moved:
        yield ""
        yield "### Failures beside the teacher's"
        yield ""
        head = ("Slice", "Items", "Inherited: both fail", "Lost", "New: only the student")
        yield from table(
            head,
            [
                (words(one.slice), f"{one.items:,}", f"{one.inherited:,}", f"{one.lost:,}", f"{one.new:,}")
                for one in moved
            ],
        )
