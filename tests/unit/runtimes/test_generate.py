from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edgeshrink.runtimes import llama_cpp
from edgeshrink.runtimes.generate import choose, generate, stream_text
from edgeshrink.runtimes.llama_cpp import LlamaSession


@pytest.fixture
def session(tiny_gguf: Path) -> LlamaSession:
    return llama_cpp.load(tiny_gguf, context=256, threads=1)


def test_greedy_takes_the_best_id_of_every_position(session: LlamaSession) -> None:
    prompt = [1, 70, 71, 72]
    with session:
        said = list(generate(session, prompt, max_tokens=6, stop_ids=()))
        rows = session.logits(prompt + said)
    assert said == rows[len(prompt) - 1 : -1].argmax(1).tolist()


def test_it_ends_before_a_stop_id_at_the_limit_and_at_a_full_context(session: LlamaSession) -> None:
    with session:
        free = list(generate(session, [1, 70], max_tokens=4, stop_ids=()))
        assert len(free) == 4
        assert list(generate(session, [1, 70], max_tokens=4, stop_ids={free[0]})) == []
        assert list(generate(session, [1, 70], max_tokens=0, stop_ids=())) == []
        full = list(generate(session, [1] * 250, max_tokens=100, stop_ids=()))
        assert len(full) == 256 - 250 + 1


def test_sampling_repeats_with_its_seed_and_differs_without(session: LlamaSession) -> None:
    def say(seed: int) -> list[int]:
        return list(generate(session, [1, 70], max_tokens=20, stop_ids=(), temperature=1.5, seed=seed))

    with session:
        assert say(1) == say(1) != say(2)


def test_sampling_follows_the_probabilities() -> None:
    probabilities = np.array([0.5, 0.3, 0.15, 0.05])
    logits = np.log(probabilities).astype(np.float32)
    random = np.random.default_rng(0)
    drawn = Counter(choose(logits, temperature=1.0, top_p=1.0, random=random) for _ in range(4000))
    for token, probability in enumerate(probabilities):
        tolerance = 5 * math.sqrt(probability * (1 - probability) / 4000)
        assert abs(drawn[token] / 4000 - probability) < tolerance


@pytest.mark.parametrize(("top_p", "kept"), [(0.0, {0}), (0.49, {0}), (0.7, {0, 1}), (0.9, {0, 1, 2})])
def test_the_nucleus_is_the_smallest_set_that_holds_top_p(top_p: float, kept: set[int]) -> None:
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05])).astype(np.float32)
    random = np.random.default_rng(0)
    drawn = {choose(logits, temperature=1.0, top_p=top_p, random=random) for _ in range(500)}
    assert drawn == kept


def test_text_streams_in_whole_characters(session: LlamaSession) -> None:
    text = "añ世🙂"
    with session:
        ids = session.tokenize(text, add_special=False, parse_special=False)
        assert len(ids) == len(text.encode())
        assert list(stream_text(session, ids)) == list(text)
        assert "".join(stream_text(session, ids[:-1])) == "añ世\ufffd"
