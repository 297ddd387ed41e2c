"""The structure of a tokenizer.json leads to the right name of llama.cpp first."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from edgeshrink.catalog.pretokenizers import PRE_TOKENIZERS, splits_as, structural_candidates

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
NO_REGEX = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def saved(pre_tokenizer: Any, *, ignore_merges: bool = False) -> dict[str, Any]:
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    data: dict[str, Any] = json.loads(tokenizer.to_str())
    return data


def split(*expressions: str) -> Any:
    steps = [pre_tokenizers.Split(Regex(expression), "isolated") for expression in expressions]
    return pre_tokenizers.Sequence([*steps, NO_REGEX])


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (saved(pre_tokenizers.ByteLevel(add_prefix_space=False)), "gpt-2"),
        (saved(pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(False)])), "smollm"),
        (saved(split(LLAMA3), ignore_merges=True), "llama-bpe"),
        (saved(split(LLAMA3)), "smaug-bpe"),
        (saved(split(QWEN2)), "qwen2"),
        (
            saved(
                split(QWEN2.replace(r"\p{N}", r"\p{N}{1}", 2).replace(r"[^\r\n\p{L}\p{N}{1}]", r"[^\r\n\p{L}\p{N}]"))
            ),
            "qwen2",
        ),
        (saved(split(QWEN2.partition("|[^")[1].strip("|") + QWEN2.partition("|[^")[2])), "ufakzeka"),
        (
            saved(pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "removed", invert=True), NO_REGEX])),
            "qwen2",
        ),
    ],
)
def test_the_matching_structure_comes_first(data: dict[str, Any], name: str) -> None:
    assert structural_candidates(data)[0] == name


def test_every_name_is_tried_in_the_end() -> None:
    names = structural_candidates(saved(split("[aeiou]")))
    assert sorted(names) == sorted(entry.name for entry in PRE_TOKENIZERS)


def test_a_structure_can_be_told_to_a_person() -> None:
    assert "[aeiou]" in splits_as(saved(split("[aeiou]")))
    assert splits_as({"pre_tokenizer": None}) == "no splitting at all"
