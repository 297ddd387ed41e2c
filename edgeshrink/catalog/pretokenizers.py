r"""Which of llama.cpp's pre-tokenizers splits text as a tokenizer.json does, judged by structure: most likely first.

A pre-tokenizer is a list of regular expressions, applied one after the other, each cutting the pieces that the ones
before left. The table holds llama.cpp's names (`llama-vocab.cpp`) with the expressions as tokenizer.json files have
them. Behaviour decides in the end (`export.gguf.pretokenizer`); this order makes the first try the right one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_TAIL = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_SYMBOLS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_LLAMA3 = rf"{_CONTRACTIONS}|{_WORDS}|\p{{N}}{{1,3}}|{_SYMBOLS}|{_TAIL}"
_QWEN2 = rf"{_CONTRACTIONS}|{_WORDS}|\p{{N}}|{_SYMBOLS}|{_TAIL}"
_QWEN35 = (
    rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_TAIL}"
)
_UPPER, _LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
_CASED = rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]*[{_LOWER}]+%s|[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]+[{_LOWER}]*%s"
_TEKKEN = rf"{_CASED % ('', '')}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_TAIL}"
_GPT4O = rf"{_CASED % (_CONTRACTIONS + '?', _CONTRACTIONS + '?')}|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_TAIL}"
_SEED = rf"{_CONTRACTIONS}|{_WORDS}|\p{{N}}{{1}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{_TAIL}"
_PLAIN_QWEN2 = rf"{_WORDS}|\p{{N}}|{_SYMBOLS}|{_TAIL}"
_BAILING = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
_DEEPSEEK3 = (
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
    rf"| ?[\p{{P}}\p{{S}}]+[\r\n]*|{_TAIL}"
)


@dataclass(frozen=True, slots=True)
class PreTokenizer:
    """One of llama.cpp's: its name, its expressions, and whether whole words in the vocabulary need no merges."""

    name: str
    expressions: tuple[str, ...]
    ignores_merges: bool = False


# Where several names mean the same, the best known one stands here.
PRE_TOKENIZERS: Final = (
    PreTokenizer("qwen2", (_QWEN2,)),
    PreTokenizer("llama-bpe", (_LLAMA3,), ignores_merges=True),
    PreTokenizer("smaug-bpe", (_LLAMA3,)),
    PreTokenizer("gpt-2", (_GPT2,)),
    PreTokenizer("smollm", (r"\p{N}", _GPT2)),
    PreTokenizer("qwen35", (_QWEN35,)),
    PreTokenizer("tekken", (_TEKKEN,), ignores_merges=True),
    PreTokenizer("gpt-4o", (_GPT4O,)),
    PreTokenizer("deepseek-v3", (r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", _DEEPSEEK3)),
    PreTokenizer("minicpm5", (r"\p{N}{1,3}", _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}+")), ignores_merges=True),
    PreTokenizer("bailingmoe", (_BAILING,)),
    PreTokenizer("seed-coder", (_SEED,)),
    PreTokenizer("ufakzeka", (_PLAIN_QWEN2,)),
    PreTokenizer("deepseek-coder", ("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-\ud7ff]+", r"\p{N}")),
    PreTokenizer("falcon", (r"[\p{P}$+<=>^~|`]+", _GPT2, "[0-9][0-9][0-9]")),
    PreTokenizer("viking", (r" ?[^(\s|.,!?…。，、।۔،)]+", r"\p{N}")),
    PreTokenizer("poro-chat", (r" ?[^(\s|.,!?…。，、।۔،)]+",)),
)


def structural_candidates(tokenizer: Mapping[str, Any]) -> tuple[str, ...]:
    """All names of the table, those first whose structure is that of a byte-level tokenizer.json."""
    steps = tuple(_canonical(step) for step in _steps(tokenizer.get("pre_tokenizer")))
    ignores = bool(tokenizer.get("model", {}).get("ignore_merges", False))

    def distance(entry: PreTokenizer) -> tuple[bool, bool]:
        same = tuple(_canonical(expression) for expression in entry.expressions) == steps
        return not same, entry.ignores_merges != ignores

    return tuple(entry.name for entry in sorted(PRE_TOKENIZERS, key=distance))


def splits_as(tokenizer: Mapping[str, Any]) -> str:
    """The structure in words, for a person who has to be told that none fits."""
    return " then ".join(_steps(tokenizer.get("pre_tokenizer"))) or "no splitting at all"


def _steps(node: Any) -> Iterator[str]:
    """The expressions of a `pre_tokenizer` node; "?..." stands for what no expression can say."""
    if not isinstance(node, Mapping):
        return
    kind = node.get("type")
    if kind == "Sequence":
        for inner in node.get("pretokenizers", ()):
            yield from _steps(inner)
    elif kind == "ByteLevel":
        if node.get("add_prefix_space"):
            yield "?a space put in front"
        if node.get("use_regex", True):
            yield _GPT2
    elif kind == "Digits":
        yield r"\p{N}" if node.get("individual_digits") else r"\p{N}+"
    elif kind == "Split":
        pattern = node.get("pattern", {})
        text = pattern.get("Regex") if "Regex" in pattern else re.escape(str(pattern.get("String", "")))
        behavior, inverted = str(node.get("behavior", "")).lower(), bool(node.get("invert"))
        # The second form is how tiktoken vocabularies are converted: what the expression matches are the pieces.
        kept = (behavior == "isolated" and not inverted) or (behavior == "removed" and inverted)
        yield str(text) if kept else f"?{behavior} {text}"
    else:
        yield f"?{kind}"


def _canonical(expression: str) -> str:
    r"""One spelling for what is spelt in several ways: (?i:'s|...), (?:'[sS]|...), {1}, \p{N} in brackets."""
    spelt = expression.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)", "<contraction>")
    spelt = spelt.replace("(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])", "<contraction>")
    spelt = spelt.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d|'S|'T|'RE|'VE|'M|'LL|'D)", "<contraction>")
    spelt = spelt.replace("(?i:[sdmt]|ll|ve|re)", "<ending>").replace("'<ending>", "<contraction>")
    return re.sub(r"(\\p\{N\})\{1\}", r"\1", spelt)
