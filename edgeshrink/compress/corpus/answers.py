"""Documents of which the last answer alone counts: a question and what is said to it, whatever was said before."""

from __future__ import annotations

from collections.abc import Sequence

from edgeshrink.compress.corpus.chats import Rendered, Span, render_documents
from edgeshrink.compress.corpus.documents import Document
from edgeshrink.compress.corpus.encoding import Encoded, Encoder, plain_of
from edgeshrink.errors import DataError


def encode_answers(encoder: Encoder, documents: Sequence[Document]) -> list[Encoded | DataError]:
    """Each of `documents`, weight 1 at the tokens of its last answer and what ends it, or why there is no telling.

    That is a chat's last turn of the assistant, all behind `answer_at` of plain text (nothing where that is None), and
    the answer of one turn that a model without a chat template reads as text. DataError is raised as by
    `Encoder.encode`.
    """
    plain = [plain_of(document, encoder.has_chats) for document in documents]
    chats = [document for document, text in zip(documents, plain, strict=True) if text is None]
    rendered = iter(_rendered(encoder, chats))
    texts: list[tuple[str, Span, bool] | DataError] = [
        next(rendered) if text is None else (text.text, _span(text), text.ends) for text in plain
    ]
    whole = [one for one in texts if not isinstance(one, DataError)]
    encoded = iter(encoder.tokens([text for text, _, _ in whole], [[span] for _, span, _ in whole]))
    return [
        one if isinstance(one, DataError) else encoder.framed(*next(encoded), ends=one[2] and one[1][1] > one[1][0])
        for one in texts
    ]


def _span(text: Document) -> Span:
    end = len(text.text)
    return (end if text.answer_at is None else text.answer_at, end)


def _rendered(encoder: Encoder, chats: Sequence[Document]) -> list[tuple[str, Span, bool] | DataError]:
    if not chats:
        return []
    rendered = render_documents(encoder.template(), chats, answers=True, variables=encoder.marks())
    return [one if isinstance(one, DataError) else _last(one) for one in rendered]


def _last(chat: Rendered) -> tuple[str, Span, bool] | DataError:
    """Only the last turn ends where the chat does."""
    if not chat.said or chat.said[-1][1] != len(chat.text.rstrip()):
        return DataError("the chat template does not show the last answer as it stands")
    return chat.text, chat.said[-1], False
