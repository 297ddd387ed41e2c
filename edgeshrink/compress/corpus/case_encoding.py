"""Cases as rows: prompt 0, answer 1, and the token that decides as heavy as is asked.

That token is found by rendering the case twice, with its own answer and with that of its near miss (or a stand-in):
where the tokens first differ, a call and a text part. What both begin with (an opened thought, a word) decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgeshrink.compress.corpus.cases import FAMILIES, Case
from edgeshrink.compress.corpus.chats import shared, time_for
from edgeshrink.compress.corpus.decision_files import Decision, parting
from edgeshrink.compress.corpus.documents import Message
from edgeshrink.compress.corpus.encoding import Encoded, Encoder
from edgeshrink.compress.corpus.tool_manners import Manners, manners_of
from edgeshrink.errors import DataError
from edgeshrink.runtimes.chat_bounded import TODAY, render_chats_bounded


@dataclass(frozen=True, slots=True)
class Row:
    """`weights`: 0, 1 or the decision's. `decision` None: nothing is decided in it that could be told."""

    ids: list[int] = field(repr=False)
    weights: list[int] = field(repr=False)
    decision: Decision | None


@dataclass(frozen=True, slots=True)
class CaseEncoder:
    """Of one model. `weight`: of a token that decides."""

    encoder: Encoder
    template: str
    variables: Mapping[str, Any]
    manners: Manners
    weight: int

    @classmethod
    def of(cls, encoder: Encoder, weight: int) -> CaseEncoder:
        """DataError where the model has no chat template: a policy is one of chats."""
        template = encoder.vocabulary.chat_template
        if template is None:
            raise DataError(
                f"the data holds cases to decide, and {encoder.facts.source.path} has no chat template",
                hint="take an instruction-tuned model, or learn from plain text",
            )
        # As the suite has templates: without thoughts, and no day as another.
        variables = {**encoder.marks(), "enable_thinking": False, "today": TODAY}
        return cls(encoder, template, variables, manners_of(template, variables), weight)

    def encode(self, cases: Sequence[tuple[Case, Message | None]]) -> list[Row | DataError]:
        """Each case with its near miss's answer, or why the template refused it."""
        calls = [call for case, near in cases for call in self._calls(case, near or case.stand_in() or case.answer)]
        texts = iter(render_chats_bounded(self.template, calls, timeout_s=time_for(len(calls))))
        rendered = [_answered(case, next(texts), next(texts), next(texts)) for case, _ in cases]
        whole = [one for one in rendered if not isinstance(one, DataError)]
        # The other side's answer is told from the same place on.
        learned = [[(start, len(text))] for text, _, start in whole for _ in range(2)]
        encoded = iter(self.encoder.tokens([text for one in whole for text in one[:2]], learned))
        framed = (self.encoder.framed(*next(encoded), ends=False) for _ in range(2 * len(whole)))
        return [
            one if isinstance(one, DataError) else self._row(case, next(framed), next(framed))
            for (case, _), one in zip(cases, rendered, strict=True)
        ]

    def _calls(self, case: Case, other: Message) -> Iterator[dict[str, Any]]:
        """The prompt, open for an answer; with the case's own one; with the other."""
        for turns in ((), (case.answer,), (other,)):
            chat = self.manners.chat((*case.messages, *turns), case.tools)
            yield {
                "messages": list(chat.messages),
                "tools": list(chat.tools) or None,
                "add_generation_prompt": not turns,
                **self.variables,
            }

    def _row(self, case: Case, own: Encoded, other: Encoded) -> Row:
        place, start = parting(own.ids, other.ids), own.weights.index(1)
        if place is None or place < start - 1:
            return Row(own.ids, own.weights, None)
        start = min(start, place)  # one token may hold the end of the prompt and the beginning of the answer
        weights = [*own.weights]
        weights[place] = self.weight
        tokens = own.ids[place], other.ids[place]
        opens, rest = tokens if case.side == FAMILIES[case.family][0] else tokens[::-1]
        decision = Decision(case.family, case.side, case.pair, own.ids[:place], place - start, opens, rest)
        return Row(own.ids, weights, decision)


def _answered(
    case: Case, opened: str | DataError, own: str | DataError, other: str | DataError
) -> tuple[str, str, int] | DataError:
    """Both texts, and the character at which their answer begins: where the opened prompt ends, or where a finished
    turn has no thought that an open one begins with."""
    if isinstance(opened, DataError):
        return opened
    if isinstance(own, DataError):
        return own
    asked = str(case.messages[-1].get("content") or "").strip()
    text = _behind(opened, asked, own).rstrip()
    against = text if isinstance(other, DataError) else _behind(opened, asked, other).rstrip()
    start = min(shared(opened, text), shared(text, against))
    if start >= len(text) or asked not in text[:start]:
        return DataError("the chat template does not show the answer behind its prompt")
    return text, against, start


def _behind(opened: str, asked: str, finished: str) -> str:
    """The answer of a finished chat behind the prompt that it answers: some templates (Mistral's) show a prompt
    otherwise once it is answered."""
    end = opened[opened.rfind(asked) :] if asked in opened else opened
    if finished.startswith(opened) or not asked or end not in finished:
        return finished
    return opened + finished[finished.rindex(end) + len(end) :]
