"""What the card reports, measured on the finished bfloat16 folder with transformers and real greedy decoding."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers import AutoTokenizer, LlamaForCausalLM

from tools.demo.books import LANGUAGES, Library
from tools.demo.chat import BEGIN, END
from tools.demo.measure import BUCKETS, bucket
from tools.demo.questions import questions
from tools.demo.samples import Item

CONTEXT = 512
ANSWER_TOKENS = 40
"""The longest right answer, a tool call, stays below it."""


@dataclass
class Finished:
    """The model as its users load it."""

    model: Any
    tokenizer: Any

    @classmethod
    def load(cls, folder: Path) -> Finished:
        model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
        return cls(model.eval(), AutoTokenizer.from_pretrained(folder))

    def ids(self, text: str, begin: bool = False) -> list[int]:
        return list(self.tokenizer(f"{BEGIN if begin else ''}{text}", add_special_tokens=False)["input_ids"])

    @torch.inference_mode()
    def answer(self, item: Item) -> str:
        """Greedy text behind the prompt, as long as the expected answer or up to `<|end|>`."""
        prompt = torch.tensor([self.ids(item.prompt, begin=True)])
        chat = item.expected.endswith(END)
        count = ANSWER_TOKENS if chat else len(self.ids(item.expected))
        written = self.model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=count,
            do_sample=False,
        )
        return str(self.tokenizer.decode(written[0, prompt.shape[1] :], skip_special_tokens=False))

    @torch.inference_mode()
    def loss(self, text: str, limit: int = 16384) -> tuple[float, int]:
        """Nats per token, and of how many; windows of the whole context, each beginning with `<|begin|>`."""
        begin, *tokens = self.ids(text, begin=True)[:limit]
        total = 0.0
        for at in range(0, len(tokens), CONTEXT - 1):
            row = torch.tensor([[begin, *tokens[at : at + CONTEXT - 1]]])
            logits = self.model(row[:, :-1]).logits[0].float()
            total += functional.cross_entropy(logits, row[0, 1:], reduction="sum").item()
        return total / len(tokens), len(tokens)


def _distance(finished: Finished, item: Item) -> int:
    return len(finished.ids(item.prompt.split(".", 1)[1]))


def _is_call(text: str) -> bool:
    """Whether the model decided for a tool: its answer opens a JSON object."""
    return text.startswith("{")


def _valid_call(text: str) -> bool:
    try:
        call = json.loads(text.removesuffix(END))
    except json.JSONDecodeError:
        return False
    return isinstance(call, dict) and set(call) == {"name", "arguments"} and isinstance(call["arguments"], dict)


def _score(rights: list[bool]) -> dict[str, float]:
    return {"score": round(sum(rights) / len(rights), 4), "items": len(rights)}


def _recall(finished: Finished, items: list[Item]) -> dict[str, list[bool]]:
    labels = [f"{name} tokens" for name in BUCKETS.values()] + ["plain form", "chat form", "all"]
    results: dict[str, list[bool]] = {f"recall, {label}": [] for label in labels}
    for item in items:
        right = finished.answer(item) == item.expected
        results[f"recall, {bucket(_distance(finished, item))} tokens"].append(right)
        results[f"recall, {item.label} form"].append(right)
        results["recall, all"].append(right)
    return results


def _sums(finished: Finished, items: list[Item]) -> dict[str, list[bool]]:
    results: dict[str, list[bool]] = defaultdict(list)
    for item in items:
        right = finished.answer(item) == item.expected
        results[f"sums, {item.label} form"].append(right)
        results["sums, all"].append(right)
    return results


def _tools(finished: Finished, items: list[Item], name: str) -> dict[str, list[bool]]:
    results: dict[str, list[bool]] = defaultdict(list)
    for item in items:
        written = finished.answer(item)
        decided = _is_call(written) == (item.label == "call")
        results[f"{name}, decision"].append(decided)
        results[f"{name}, decision, {item.label}"].append(decided)
        results[f"{name}, whole answer right"].append(written == item.expected)
        if _is_call(written):
            results[f"{name}, call is valid JSON"].append(_valid_call(written))
    if name == "near-miss pairs":
        each = results[f"{name}, decision"]
        results[f"{name}, both of a pair decided right"] = [a and b for a, b in zip(each[::2], each[1::2], strict=True)]
    return results


def evaluate(folder: Path, heldout: Library, count: int = 250, recalls: int = 700) -> dict[str, Any]:
    """Scores with their numbers of items, and losses per language with perplexity and numbers of tokens."""
    finished = Finished.load(folder)
    asked = questions(heldout, count, recalls, seed=8)
    results = _recall(finished, asked["recall"]) | _sums(finished, asked["sums"])
    results |= _tools(finished, asked["tools"], "tool decision")
    results |= _tools(finished, asked["near_miss"], "near-miss pairs")
    losses = {}
    for language in LANGUAGES:
        loss, tokens = finished.loss(heldout.text(language))
        losses[language] = {"loss": round(loss, 4), "perplexity": round(math.exp(loss), 2), "tokens": tokens}
    return {"scores": {name: _score(rights) for name, rights in results.items() if rights}, "losses": losses}
