"""The endless training stream: samples of book text and skills, packed into rows of tokens and loss weights."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from tools.demo.books import Library
from tools.demo.samples import Sample
from tools.demo.skills import recall, story, sums, tool_decision

SHARES = {"book": 0.32, "recall": 0.44, "sums": 0.05, "tools": 0.11, "story": 0.08}
FIRST_SHARES = {"book": 0.15, "recall": 0.75, "sums": 0.05, "tools": 0.05, "story": 0.0}
"""Of the tokens; everything but plain book text is generated. Rows of 64 tokens and less take the first shares, almost
only copying: heads that copy formed in 500 steps of it, and did not in 900 steps of a weaker dose."""
ANSWER_WEIGHT, PROMPT_WEIGHT = 5.0, 0.4
"""Loss weights in a skill sample. A random pair cannot be predicted when it is told, only when it is asked for."""
BATCH_OF_SAMPLES = 64


def draw(kind: str, rng: random.Random, library: Library, length: int) -> str:
    """One marked sample of at most about `length` tokens."""
    if kind == "book":
        return library.passage(rng, 3 * length)
    if kind == "story":
        return story.sample(rng, library, length)
    if kind == "recall":
        return recall.sample(rng, library, length)
    return sums.sample(rng) if kind == "sums" else tool_decision.sample(rng)


@dataclass
class Mixture:
    """Draws the kind furthest behind its share of the tokens so far, so shares hold whatever a sample's length."""

    tokenizer: Tokenizer
    library: Library
    seed: int

    def rows(self, length: int, first: int) -> Iterator[tuple[list[int], list[float]]]:
        """Rows of exactly `length` tokens; samples of two kinds never depend on each other across a row's start."""
        rng = random.Random(f"{self.seed}/{length}/{first}")
        shares = FIRST_SHARES if length <= 64 else SHARES
        seen = dict.fromkeys(shares, 1.0)
        tokens: list[int] = []
        weights: list[float] = []
        while True:
            for kind, ids, weight in self._encode(rng, shares, seen, length):
                seen[kind] += len(ids)
                if len(tokens) + len(ids) > length:
                    ids, weight = ids[: length - len(tokens)], weight[: length - len(tokens)]
                tokens += ids
                weights += weight
                if len(tokens) == length:
                    yield tokens, weights
                    tokens, weights = [], []

    def _encode(
        self, rng: random.Random, shares: dict[str, float], seen: dict[str, float], length: int
    ) -> Iterator[tuple[str, list[int], list[float]]]:
        total = sum(seen.values())
        owed = [share * (share * total / seen[kind]) ** 4 for kind, share in shares.items()]
        kinds = rng.choices(tuple(shares), owed, k=BATCH_OF_SAMPLES)
        samples = [Sample.parse(draw(kind, rng, self.library, length)) for kind in kinds]
        encodings = self.tokenizer.encode_batch([sample.text for sample in samples])
        for kind, sample, encoding in zip(kinds, samples, encodings, strict=True):
            yield kind, encoding.ids, _weights(kind, sample, encoding.offsets)

    def batches(self, length: int, rows: int, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        stream = self.rows(length, first)
        while True:
            tokens, weights = zip(*(next(stream) for _ in range(rows)), strict=True)
            yield torch.tensor(tokens), torch.tensor(weights)


def _weights(kind: str, sample: Sample, offsets: list[tuple[int, int]]) -> list[float]:
    if kind in ("book", "story"):
        return [1.0] * len(offsets)
    weights = [PROMPT_WEIGHT] * len(offsets)
    answers = list(sample.answers)
    for number, (begin, end) in enumerate(offsets):
        while answers and begin >= answers[0][1]:
            answers.pop(0)
        if answers and end > answers[0][0]:
            weights[number] = ANSWER_WEIGHT
    return weights
