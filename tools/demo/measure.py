"""Cheap measurements during training: is each answer the likeliest continuation, token by token?

A greedy decoder writes the expected answer exactly when every one of its tokens is the argmax behind the ones
before it, so one forward pass a question is enough.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from tokenizers import Tokenizer
from torch.nn import functional

from tools.demo.books import LANGUAGES, Library
from tools.demo.model import Llama
from tools.demo.samples import Item

BUCKETS = {50: "0-50", 150: "51-150", 300: "151-300", 512: "301-512"}
"""Longest distance of each row of the card, in tokens."""


def distance(tokenizer: Tokenizer, item: Item) -> int:
    """Tokens between the first sentence, which tells the pair, and the answer."""
    return len(tokenizer.encode(item.prompt.split(".", 1)[1], add_special_tokens=False).ids)


def bucket(tokens: int) -> str:
    """The card's row for a distance."""
    return next(name for limit, name in BUCKETS.items() if tokens <= limit)


@torch.inference_mode()
def answered(model: Llama, tokenizer: Tokenizer, item: Item) -> bool:
    prompt = tokenizer.encode(item.prompt).ids
    expected = tokenizer.encode(item.expected, add_special_tokens=False).ids
    tokens = torch.tensor([prompt + expected])[:, : model.shape.context + 1]
    with torch.autocast("cpu", torch.bfloat16):
        likeliest = model(tokens[:, :-1]).argmax(-1)[0]
    return bool(likeliest[len(prompt) - 1 :].tolist() == expected)


def skill_scores(model: Llama, tokenizer: Tokenizer, questions: dict[str, list[Item]]) -> dict[str, float]:
    """Share of questions answered, each skill and each bucket of recall."""
    results: dict[str, list[bool]] = defaultdict(list)
    for skill, items in questions.items():
        for item in items:
            right = answered(model, tokenizer, item)
            label = bucket(distance(tokenizer, item)) if skill == "recall" else item.label
            results[skill].append(right)
            results[f"{skill}/{label}"].append(right)
            if skill == "recall":
                results[f"{skill}/{item.label}"].append(right)
    return {name: round(sum(rights) / len(rights), 3) for name, rights in sorted(results.items())}


@torch.inference_mode()
def book_loss(model: Llama, tokenizer: Tokenizer, heldout: Library, language: str, limit: int = 4096) -> float:
    """Nats per token over the first `limit` tokens, in windows of the whole context that begin with `<|begin|>`."""
    begin, *tokens = tokenizer.encode(heldout.text(language)).ids[:limit]
    window = model.shape.context - 1
    total = 0.0
    for at in range(0, len(tokens), window):
        row = torch.tensor([[begin, *tokens[at : at + window]]])
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(row[:, :-1])
        total += functional.cross_entropy(logits[0].float(), row[0, 1:], reduction="sum").item()
    return total / len(tokens)


def book_losses(model: Llama, tokenizer: Tokenizer, heldout: Library) -> dict[str, float]:
    return {f"loss/{language}": round(book_loss(model, tokenizer, heldout, language), 3) for language in LANGUAGES}
