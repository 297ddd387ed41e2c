"""Do two models speak of the same tokens? Only then does it mean anything to compare their logits."""

from __future__ import annotations

from edgeshrink.catalog.tokenizers import read_vocabulary
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import DataError

_UNUSED = 5  # GGUF's type of a row that no text reaches


def shared_vocabulary(teacher: ModelFacts, student: ModelFacts) -> int:
    """How many tokens, from 0 on, are the same in both; one may have more rows, where these are padding.

    DataError where a token that texts reach is another one in the other model, or not there.
    """
    ours, theirs = read_vocabulary(student), read_vocabulary(teacher)
    shared = min(len(ours.tokens), len(theirs.tokens))
    for number, (one, other) in enumerate(zip(_texts(ours), _texts(theirs), strict=False)):
        if one != other:
            raise _different(f"token {number} is {_quoted(one)} in the student and {_quoted(other)} in the teacher")
    for vocabulary, who in ((ours, "student"), (theirs, "teacher")):
        beyond = [number for number, text in enumerate(_texts(vocabulary)) if number >= shared and text is not None]
        if beyond:
            raise _different(f"only the {who} has {len(beyond)} of its tokens, from {beyond[0]} on")
    if (ours.kind, ours.merges) != (theirs.kind, theirs.merges):
        raise _different("they cut texts by other rules")
    return shared


def _texts(vocabulary: Vocabulary) -> tuple[bytes | None, ...]:
    """None for rows that no text reaches, whatever they are called."""
    rows = zip(vocabulary.tokens, vocabulary.token_types, strict=True)
    return tuple(None if kind == _UNUSED else text for text, kind in rows)


def _quoted(text: bytes | None) -> str:
    return "unused" if text is None else ascii(text.decode("utf-8", "replace"))


def _different(why: str) -> DataError:
    return DataError(
        f"teacher and student have different vocabularies: {why}",
        hint="distil sequences, which are text: --objective sequence",
    )
