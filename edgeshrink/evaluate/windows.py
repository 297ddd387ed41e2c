"""How evaluation text becomes scored positions: windows of tokens, each from an empty cache.

The rule of llama.cpp's perplexity tool, so that figures compare with published ones: consecutive windows, BOS in place
of the first token where the vocabulary adds one; positions from the middle of the window on are scored, each on the
token that follows it. A suite's windows are scored from an early position on instead, so that drift can be seen.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from edgeshrink.errors import DataError
from edgeshrink.planning.estimate import EVALUATION_FLOP, EVALUATION_TOKENS, LOGITS_FILE_BYTES, reference_row_bytes
from edgeshrink.runtimes.interface import Session

WINDOW = 512
EARLY = 16
"""Where a suite's windows begin to be scored: before, a model has little to go by."""
LOGITS_BYTES = 64 << 20
_LONGEST = 4096
_SHORTEST = 64
_FEWEST_WINDOWS = 8


@dataclass(frozen=True, slots=True)
class Windows:
    """`ids`: `size` token ids a window; positions `first` to `size - 2` are scored. `early` is the first
    one where it is not the middle."""

    ids: tuple[Sequence[int], ...]
    early: int | None = None

    @property
    def size(self) -> int:
        return len(self.ids[0])

    @property
    def first(self) -> int:
        return self.size // 2 if self.early is None else self.early

    @property
    def scored_each(self) -> int:
        return self.size - 1 - self.first

    @property
    def scored(self) -> int:
        """Positions that are compared, over all windows."""
        return self.scored_each * len(self.ids)

    @property
    def tokens(self) -> int:
        """Tokens that are run."""
        return self.size * len(self.ids)

    def packed(self) -> Windows:
        """The same in 4 bytes a token."""
        return Windows(tuple(array("i", ids) for ids in self.ids), self.early)


def cut_windows(
    session: Session, text: str, *, context: int, weights: int, max_tokens: int = EVALUATION_TOKENS
) -> Windows:
    """Windows over `text` as the vocabulary of `session` cuts it; control tokens that it spells out count as such.

    As many as the text gives, `max_tokens` allows, the stored reference fits LOGITS_FILE_BYTES, and a model of
    `weights` weights computes within EVALUATION_FLOP; at least one. DataError where the text is shorter than a window.
    """
    size = min(context, WINDOW)
    ids = session.tokenize(text, add_special=True, parse_special=True)
    if len(ids) < size:
        raise DataError(f"the evaluation text has {len(ids)} tokens, fewer than one window of {size}")
    scored = size - 1 - size // 2
    allowed = min(
        max_tokens // size,
        LOGITS_FILE_BYTES // (reference_row_bytes(session.vocab_size) * scored),
        int(EVALUATION_FLOP / (2.0 * max(weights, 1) * size)),
    )
    windows = [ids[index * size : (index + 1) * size] for index in range(min(len(ids) // size, max(1, allowed)))]
    return Windows(_begun(session, windows))


def cut_round(session: Session, text: str, *, context: int, tokens: int, round: int) -> tuple[Windows | None, int]:
    """The windows of one round of a suite, and how many tokens the whole text has.

    The first round takes `tokens` of them, each later one as many as all before it, behind these; None where the text
    has none left. Windows are as long as `context` allows, but a text gives 8 and a round 4 of them where 512 tokens
    each are enough for that. DataError where the text has no 64 tokens.
    """
    ids = session.tokenize(text, add_special=True, parse_special=True)
    size = min(context, _LONGEST, max(WINDOW, min(len(ids) // _FEWEST_WINDOWS, tokens // (_FEWEST_WINDOWS // 2))))
    size = min(size, len(ids))
    if size < _SHORTEST:
        raise DataError(f"a text of {len(ids)} tokens in a context of {context} is too short", hint="64 are the least")
    begin, count = windows_of_round(size, tokens, round)
    windows = [ids[at * size : (at + 1) * size] for at in range(begin, min(begin + count, len(ids) // size))]
    return (Windows(_begun(session, windows), EARLY) if windows else None), len(ids)


def windows_of_round(size: int, tokens: int, round: int) -> tuple[int, int]:
    """The first window of a round, and how many it has, where the first round takes `tokens` tokens."""
    each = max(1, tokens // size)
    behind: int = each * 2 ** (round - 1) if round else 0
    return behind, behind or each


def _begun(session: Session, windows: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Each with BOS first, where the vocabulary adds one."""
    bos = session.bos_id if session.adds_bos else None
    return tuple(tuple(window) if bos is None else (bos, *window[1:]) for window in windows)


def batch_for(vocab_size: int, window: int) -> int:
    """Tokens computed at once so that their logits stay within LOGITS_BYTES."""
    return max(16, min(window, LOGITS_BYTES // (4 * vocab_size)))
