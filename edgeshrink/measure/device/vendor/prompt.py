"""A prompt of a given number of tokens, as text: a vendor's runner tokenizes by itself."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.measure.prompts import shipped_text

_CHARACTERS_A_TOKEN = 4
"""Where nothing here reads the model's tokenizer: of English, in most vocabularies."""
_NEARBY = (0, -1, 1, -2, 2, -3, 3)


def prompt_of(folder: Path, tokens: int) -> str:
    """Shipped text that the tokenizer.json in `folder` splits into `tokens`, as near as a cut between two tokens comes.

    Without one, about as many characters as so many tokens have: the runner says how many it read.
    """
    text = shipped_text(4 * tokens)
    while len(text) < 12 * tokens:
        text += f" {text}" if text else "one two three "
    file = folder / "tokenizer.json"
    if not file.is_file():
        return text[: _CHARACTERS_A_TOKEN * tokens]
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    ends = [end for _, end in tokenizer.encode(text, add_special_tokens=False).offsets]
    cuts = [text[: ends[tokens - 1 + step]] for step in _NEARBY if 0 <= tokens - 1 + step < len(ends)]
    counted = {cut: len(tokenizer.encode(cut, add_special_tokens=False).ids) for cut in cuts}
    return min(cuts, key=lambda cut: abs(counted[cut] - tokens), default=text)
