"""A finished file says what its model said in training, or the check fails and says by how much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from edgeshrink.compress.grid.grid_file import write_probe
from edgeshrink.errors import DataError
from edgeshrink.evaluate.checks.agreement import TOLERANCES, agreement, check_agreement

TOKENS = np.arange(3, 43, dtype=np.int32)


class Told:
    """A session that knows its answers, in batches."""

    def __init__(self, logits: np.ndarray) -> None:
        self._logits = logits
        self.vocab_size = logits.shape[1]

    def iter_logits(self, ids: Sequence[int]) -> Iterator[np.ndarray]:
        assert list(ids) == TOKENS.tolist()
        yield from (self._logits[:25], self._logits[25:])


@pytest.fixture
def logits() -> np.ndarray:
    return 3 * np.random.default_rng(0).standard_normal((len(TOKENS), 64)).astype(np.float32)


def test_both_distances_are_those_of_the_definitions(logits: np.ndarray) -> None:
    other = logits + np.random.default_rng(1).standard_normal(logits.shape).astype(np.float32) + 7  # a shift is nothing
    mean_kl, difference, largest = agreement(Told(other), TOKENS, logits)  # type: ignore[arg-type]
    p, q = (np.exp(rows.astype(np.float64)) for rows in (logits, other))
    p, q = p / p.sum(1, keepdims=True), q / q.sum(1, keepdims=True)
    assert mean_kl == pytest.approx((p * np.log(p / q)).sum(1).mean())
    ours, its = (rows - rows.mean(1, keepdims=True) for rows in (logits, other))
    assert difference == pytest.approx(np.abs(ours - its).max(), rel=1e-5)
    assert largest == pytest.approx(np.abs(ours).max(), rel=1e-5)


@pytest.mark.parametrize("format", sorted(TOLERANCES))
def test_what_rounding_explains_holds_and_what_it_does_not_fails(
    tmp_path: Path, logits: np.ndarray, format: str
) -> None:
    write_probe(tmp_path, TOKENS, logits)
    noise = np.random.default_rng(2).standard_normal(logits.shape).astype(np.float32)
    near, far = logits + 0.02 * noise, np.roll(logits, 1, axis=0)
    assert check_agreement(Told(near), tmp_path, format).outcome == "ok"  # type: ignore[arg-type]
    check = check_agreement(Told(far), tmp_path, format)  # type: ignore[arg-type]
    assert check.outcome == "failed" and "mean KL" in check.detail and "40 tokens" in check.detail


def test_one_logit_that_is_far_off_or_no_number_fails(tmp_path: Path, logits: np.ndarray) -> None:
    write_probe(tmp_path, TOKENS, logits)
    for broken in (float(logits[30].min()) - 20, np.nan):
        other = logits.copy()
        other[30, logits[30].argmin()] = broken
        assert check_agreement(Told(other), tmp_path, "onnx").outcome == "failed"  # type: ignore[arg-type]


def test_another_vocabulary_is_an_error(logits: np.ndarray) -> None:
    with pytest.raises(DataError, match="63"):
        agreement(Told(logits[:, :63]), TOKENS, logits)  # type: ignore[arg-type]


def test_without_a_probe_there_is_nothing_to_compare(tmp_path: Path, logits: np.ndarray) -> None:
    assert check_agreement(Told(logits), tmp_path, "gguf").outcome == "skipped"  # type: ignore[arg-type]
