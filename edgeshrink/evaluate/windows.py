"""How evaluation text becomes scored positions: windows of tokens, the second half of each scored.

This is the rule of llama.cpp's perplexity tool, so figures compare with published ones: consecutive windows, each
from an empty cache, BOS in place of the first token where the vocabulary adds one; positions from the middle of the
window on are scored, each on the token that follows it.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeshrink.errors import DataError
from edgeshrink.planning.estimate import EVALUATION_FLOP, EVALUATION_TOKENS, LOGITS_FILE_BYTES
from edgeshrink.runtimes.interface import Session

WINDOW = 512
LOGITS_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Windows:
    """`ids`: one tuple of `size` token ids a window; positions `first` to `size - 2` are scored."""

    ids: tuple[tuple[int, ...], ...]

    @property
    def size(self) -> int:
        return len(self.ids[0])

    @property
    def first(self) -> int:
        return self.size // 2

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


def cut_windows(
    session: Session, text: str, *, context: int, weights: int, max_tokens: int = EVALUATION_TOKENS
) -> Windows:
    """Windows over `text` as the vocabulary of `session` cuts it; control tokens that it spells out count as such.

    As many as the text gives, `max_tokens` allows, the stored logits fit LOGITS_FILE_BYTES, and a model of `weights`
    weights computes within EVALUATION_FLOP; at least one. DataError where the text is shorter than a window.
    """
    size = min(context, WINDOW)
    ids = session.tokenize(text, add_special=True, parse_special=True)
    if len(ids) < size:
        raise DataError(f"the evaluation text has {len(ids)} tokens, fewer than one window of {size}")
    scored = size - 1 - size // 2
    allowed = min(
        max_tokens // size,
        LOGITS_FILE_BYTES // (4 * session.vocab_size * scored),
        int(EVALUATION_FLOP / (2.0 * max(weights, 1) * size)),
    )
    windows = [ids[index * size : (index + 1) * size] for index in range(min(len(ids) // size, max(1, allowed)))]
    if session.adds_bos and session.bos_id is not None:
        windows = [[session.bos_id, *window[1:]] for window in windows]
    return Windows(tuple(tuple(window) for window in windows))


def batch_for(vocab_size: int, window: int) -> int:
    """Tokens computed at once so that their logits stay within LOGITS_BYTES."""
    return max(16, min(window, LOGITS_BYTES // (4 * vocab_size)))
