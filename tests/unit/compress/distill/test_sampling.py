"""Rows written with a cache: the model's own distribution, transformers' own greedy text, and one row like many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch_decoders import BOS, DECODERS, VOCABULARY, decoder  # noqa: E402

from edgeshrink.compress.distill.sampling import continue_texts, pick  # noqa: E402

LENGTH = 20
GREEDY = np.full((1, LENGTH), 0.5)


def _slowly(model: Any, text: Sequence[int], draws: Any, temperature: float = 1.0) -> list[int]:
    """The whole text read anew for each token, and the shares added up in numpy."""
    written = list(text)
    while len(written) < len(draws):
        with torch.no_grad():
            logits = model(torch.tensor([written])).logits[0, -1].double().numpy() / temperature
        shares = np.exp(logits - logits.max())
        sums = np.cumsum(shares / shares.sum())
        written.append(int(np.searchsorted(sums, draws[len(written)], side="right")))
    return written


@pytest.fixture(scope="module", params=DECODERS)
def model(request: pytest.FixtureRequest) -> Any:
    return decoder(request.param, seed=2).eval()


@pytest.fixture(scope="module")
def draws() -> Any:
    return np.random.default_rng(4).random((5, LENGTH))


def test_each_token_is_drawn_as_its_share_of_the_distribution() -> None:
    logits = torch.randn(6, generator=torch.Generator().manual_seed(0))
    grid = (torch.arange(20000, dtype=torch.float64) + 0.5) / 20000
    counts = torch.bincount(pick(logits.expand(20000, 6), grid, 0.7), minlength=6)
    assert torch.allclose(counts / 20000, (logits / 0.7).softmax(-1), atol=1e-4)


def test_a_token_without_probability_is_never_drawn() -> None:
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]])
    ends = torch.tensor([0.0, 0.5, 1 - 2**-53], dtype=torch.float64)
    assert pick(logits.expand(3, 5), ends).tolist() == [1, 3, 3]


def test_texts_are_those_of_the_model_without_a_cache(model: Any, draws: Any) -> None:
    beginnings = [[BOS], [BOS, 5], [BOS, 5, 6, 7], [9], [BOS, 3]]
    texts = continue_texts(model, beginnings, draws, stops=(), temperature=0.8)
    assert texts == [_slowly(model, text, row, 0.8) for text, row in zip(beginnings, draws, strict=True)]


def test_greedy_text_is_that_of_generate(model: Any) -> None:
    (text,) = continue_texts(model, [[BOS, 4]], GREEDY, stops=(), greedy=LENGTH)
    wanted = model.generate(
        torch.tensor([[BOS, 4]]),
        attention_mask=torch.ones(1, 2, dtype=torch.long),
        do_sample=False,
        max_length=LENGTH,
        eos_token_id=None,
        pad_token_id=0,
    )
    assert text == wanted[0].tolist()


def test_only_the_first_tokens_are_the_likeliest_ones(draws: Any) -> None:
    model = decoder("llama", seed=2).eval()
    (greedy,) = continue_texts(model, [[BOS, 4]], GREEDY, stops=(), greedy=LENGTH)
    (text,) = continue_texts(model, [[BOS, 4]], draws[:1], stops=(), greedy=3)
    assert text[:5] == greedy[:5]
    assert text == _slowly(model, greedy[:5], draws[0])


def test_a_window_of_attention_slides() -> None:
    model = decoder("mistral", seed=2, sliding_window=6).eval()
    draws = np.random.default_rng(5).random((2, LENGTH))
    texts = continue_texts(model, [[BOS], [BOS, 7]], draws, stops=())
    assert texts == [_slowly(model, text, row) for text, row in zip([[BOS], [BOS, 7]], draws, strict=True)]


def test_texts_end_at_a_stop_and_leave_the_others_as_they_were(draws: Any) -> None:
    model = decoder("llama", seed=2).eval()
    free = continue_texts(model, [[BOS]] * 5, draws, stops=())
    stops = {free[0][4], free[1][9], free[2][15]}
    texts = continue_texts(model, [[BOS]] * 5, draws, stops=stops)
    for text, whole in zip(texts, free, strict=True):
        ends = next((place for place, token in enumerate(whole) if place and token in stops), LENGTH - 1)
        assert text == whole[: ends + 1]
    assert min(map(len, texts)) < LENGTH


def test_a_text_can_go_on_after_a_stop(draws: Any) -> None:
    model = decoder("llama", seed=2).eval()
    (free,) = continue_texts(model, [[BOS]], draws[:1], stops=())
    stop = free[6]
    assert stop not in free[1:6]
    turns = []

    def after(row: int, text: list[int]) -> Sequence[int]:
        if turns:
            return ()
        turns.append((row, list(text)))
        text.pop()
        return [8, 9]

    (text,) = continue_texts(model, [[BOS]], draws[:1], stops={stop}, after=after)
    assert turns == [(0, free[:7])]
    assert text[:8] == [*free[:6], 8, 9]
    wanted = _slowly(model, text[:8], draws[0])
    ends = wanted.index(stop, 8) + 1 if stop in wanted[8:] else LENGTH
    assert text == wanted[:ends]


def test_ids_beyond_the_vocabulary_are_never_written(draws: Any) -> None:
    model = decoder("llama", seed=2).eval()
    texts = continue_texts(model, [[BOS]] * 5, draws, stops=(), vocabulary=7)
    assert max(map(max, texts)) == 6
    assert VOCABULARY > 7


def test_beginnings_that_fill_the_length_are_returned() -> None:
    model = decoder("llama", seed=2).eval()
    texts = continue_texts(model, [[3] * 4, [BOS] * 9], np.zeros((2, 4)), stops=())
    assert texts == [[3] * 4, [BOS] * 4]
