"""What a teacher cache keeps of a distribution, and what that stands for: numpy in float64 says what is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgeshrink.compress.distill.teacher_cache.entries import entries  # noqa: E402
from edgeshrink.compress.distill.teacher_cache.records import coded, decoded, row_type  # noqa: E402
from edgeshrink.compress.distill.teacher_cache.sampling import keep  # noqa: E402
from edgeshrink.compress.distill.teacher_cache.settings import CacheSettings  # noqa: E402

VOCABULARY = 60


def softmax(logits: Any) -> Any:
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def records(logits: Any, top: int, draws: int, seeds: int, seed: int = 0) -> tuple[Any, dict[str, Any]]:
    """One distribution kept `seeds` times: what was drawn, and as it is stored."""
    uniforms = torch.from_numpy(np.random.default_rng(seed).random((seeds, draws), np.float32))
    kept = keep(torch.tensor(logits, dtype=torch.float32).expand(seeds, -1), top, uniforms)
    stored = {
        "top_ids": kept.top_ids.numpy().astype(np.uint16),
        "top_logs": kept.top_logs.numpy().astype(np.float16),
        "tail_log": kept.tail_log.numpy().astype(np.float16),
        "draw_ids": kept.draw_ids.numpy().astype(np.uint16),
        "draw_logs": coded(kept.draw_logs.numpy()),
    }
    return kept, stored


def stood_for(ids: Any, masses: Any) -> Any:
    """(seeds, vocabulary): the mass of each token."""
    dense = np.zeros((len(ids), VOCABULARY))
    np.add.at(dense, (np.arange(len(ids))[:, None], ids), masses)
    return dense


def some_logits(scale: float = 2.0) -> Any:
    return np.random.default_rng(5).standard_normal(VOCABULARY) * scale


def test_the_mean_over_many_draws_is_the_distribution() -> None:
    logits, seeds = some_logits(), 40000
    exact = softmax(logits)
    _, stored = records(logits, 4, 6, seeds)
    ids, _, masses = entries(stored)
    dense = stood_for(ids, masses)
    np.testing.assert_allclose(dense.sum(axis=1), 1, atol=1e-6)
    errors = dense.mean(axis=0) - exact
    noise = dense.std(axis=0) / np.sqrt(seeds)
    rounded = 2.0**-11 * -np.log(exact) * exact  # float16 keeps a logarithm within 2^-11 of itself
    assert (np.abs(errors) < 5 * noise + rounded + 1e-6).all()
    assert noise.max() > 1e-6  # there is something random


def test_a_sum_over_the_draws_varies_less_than_with_independent_ones() -> None:
    logits, seeds, draws = some_logits(), 20000, 6
    values = np.random.default_rng(1).standard_normal(VOCABULARY)
    kept, _ = records(logits, 4, draws, seeds)
    top = set(kept.top_ids[0].tolist())
    tail = np.array([0.0 if token in top else p for token, p in enumerate(softmax(logits))])
    tail /= tail.sum()
    independent = (tail @ values**2 - (tail @ values) ** 2) / draws
    found = values[kept.draw_ids.numpy()].mean(axis=1)
    assert found.mean() == pytest.approx(tail @ values, abs=5 * np.sqrt(independent / seeds))
    assert found.var() < independent


def test_no_token_is_kept_twice_as_top_and_draw() -> None:
    kept, _ = records(some_logits(), 5, 8, 500)
    top = kept.top_ids[0].tolist()
    assert top == np.argsort(-some_logits())[:5].tolist()
    assert not np.isin(kept.draw_ids.numpy(), top).any()


def test_log_probabilities_are_those_of_the_tokens() -> None:
    logits = some_logits()
    exact = np.log(softmax(logits))
    _, stored = records(logits, 4, 6, 50)
    ids, logs, _ = entries(stored)
    np.testing.assert_allclose(logs[:, :4], exact[ids[:, :4]], rtol=2.0**-10)
    np.testing.assert_allclose(logs[:, 4:], exact[ids[:, 4:]], atol=1 / 16 + 1e-6)


def test_a_distribution_without_a_tail_stands_for_its_likeliest_token() -> None:
    logits = np.full(VOCABULARY, -500.0)
    logits[7] = 0.0
    _, stored = records(logits, 3, 4, 2)
    ids, _, masses = entries(stored)
    np.testing.assert_allclose(stood_for(ids, masses)[0], np.eye(VOCABULARY)[7], atol=1e-6)
    assert set(ids[0, 3:]) == {7}


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_is_exact_where_all_is_kept(temperature: float) -> None:
    logits = some_logits(1.0)
    _, stored = records(logits, VOCABULARY, 0, 1)
    ids, logs, masses = entries(stored, temperature)
    wanted = softmax(logits / temperature)
    np.testing.assert_allclose(stood_for(ids, masses)[0], wanted, rtol=5e-3)
    np.testing.assert_allclose(np.exp(logs[0]), wanted[ids[0]], rtol=5e-3)


def test_temperature_of_the_tail_is_right_with_enough_draws_and_nearer_with_few() -> None:
    logits, temperature = some_logits(1.5), 2.0
    wanted = softmax(logits / temperature)
    few, many = (stood_for(*entries(records(logits, 4, draws, 400)[1], temperature)[::2]) for draws in (4, 400))
    np.testing.assert_allclose(few.sum(axis=1), 1, atol=1e-5)
    untempered = np.abs(softmax(logits) - wanted).sum()
    assert np.abs(many.mean(axis=0) - wanted).sum() < 0.05 * untempered
    assert np.abs(few.mean(axis=0) - wanted).sum() < 0.5 * untempered


def test_a_token_takes_at_most_114_bytes_below_65536_tokens() -> None:
    length = 256
    for vocabulary, most in ((32000, 114), (65536, 114), (151936, 180)):
        assert row_type(vocabulary, length, CacheSettings()).itemsize / length <= most
    ids = row_type(65537, length, CacheSettings())["top_ids"].base
    assert np.iinfo(ids).max >= 65536


def test_log_probabilities_of_draws_come_back_within_a_sixteenth_of_a_nat() -> None:
    logs = -np.linspace(0, 31.8, 1000, dtype=np.float32)
    assert np.abs(decoded(coded(logs)) - logs).max() <= 1 / 16 + 1e-5
    assert decoded(coded(np.array([-90.0], np.float32)))[0] == pytest.approx(-31.875)
