"""Steps that the student writes: which ones, what stays of a row, what its words weigh, and that it learns there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch_decoders import EOS, VOCABULARY, decoder  # noqa: E402

from edgeshrink.compress.distill.objectives.logits import Logits  # noqa: E402
from edgeshrink.compress.distill.objectives.parameters import Parameters  # noqa: E402
from edgeshrink.compress.distill.on_policy import WRITTEN, OnPolicy, first_part, writer  # noqa: E402
from edgeshrink.compress.training.objective import Batch, Frozen  # noqa: E402
from edgeshrink.core.training import ObjectiveSettings  # noqa: E402

ROWS, LENGTH = 6, 16


@pytest.fixture(scope="module")
def student() -> Any:
    return decoder("llama", seed=1)


def _batch(step: int = 0, rows: tuple[int, ...] = tuple(range(ROWS))) -> Batch:
    generator = torch.Generator().manual_seed(7)
    tokens = torch.randint(2, VOCABULARY, (ROWS, LENGTH), generator=generator)
    weights = torch.ones(ROWS, LENGTH)
    weights[:, 0] = 0
    return Batch(tokens[list(rows)], weights[list(rows)], torch.tensor(rows), step)


def _always(student: Any, stops: frozenset[int] = frozenset()) -> OnPolicy:
    return OnPolicy(student, 1.0, 3, stops)


def test_the_share_of_steps_is_kept_and_follows_from_the_seed(student: Any) -> None:
    one, again, other = (OnPolicy(student, 0.3, seed, frozenset()) for seed in (3, 3, 4))
    steps = [one.writes(step) for step in range(2000)]
    assert np.mean(steps) == pytest.approx(0.3, abs=0.03)
    assert steps == [again.writes(step) for step in range(2000)]
    assert steps != [other.writes(step) for step in range(2000)]


def test_other_steps_keep_their_text(student: Any) -> None:
    batch = _batch()
    assert OnPolicy(student, 0.0, 3, frozenset())(batch) is batch


def test_the_first_half_stays_and_the_rest_is_the_students(student: Any) -> None:
    batch = _batch()
    written = _always(student)(batch)
    half = LENGTH // 2
    assert torch.equal(written.tokens[:, :half], batch.tokens[:, :half])
    assert not torch.equal(written.tokens[:, half:], batch.tokens[:, half:])
    assert written.rows.tolist() == [WRITTEN] * ROWS
    assert (written.tokens.dtype, written.weights.dtype) == (torch.int64, torch.float32)
    assert torch.equal(written.weights[:, :half], torch.zeros(ROWS, half))
    assert torch.allclose(written.weights.sum(1), batch.weights.sum(1))


def test_what_it_writes_is_likely_by_its_own_distribution(student: Any) -> None:
    """Its own perplexity on it is near that of its distribution: the mean surprise near the mean entropy."""
    texts = [_always(student)(_batch(step)).tokens for step in range(20)]
    tokens = torch.cat(texts)
    with torch.no_grad():
        scores = student(tokens).logits[:, :-1].double().log_softmax(-1)[:, LENGTH // 2 - 1 :]
    surprise = -scores.gather(-1, tokens[:, LENGTH // 2 :, None])[..., 0]
    entropy = -(scores.exp() * scores).sum(-1)
    assert float(surprise.mean()) == pytest.approx(float(entropy.mean()), rel=0.05)
    assert float(entropy.mean()) < 0.9 * np.log(VOCABULARY)


def test_rows_are_the_same_in_any_micro_batch(student: Any) -> None:
    whole = _always(student)(_batch())
    for rows in ((0, 1), (5,), (2, 4, 3)):
        part = _always(student)(_batch(rows=rows))
        assert torch.equal(part.tokens, whole.tokens[list(rows)])


def test_rows_and_steps_differ(student: Any) -> None:
    same = replace(_batch(), tokens=_batch().tokens[:1].expand(ROWS, LENGTH))
    written = _always(student)(same).tokens
    assert len({tuple(row) for row in written.tolist()}) == ROWS
    assert not torch.equal(written, _always(student)(replace(same, step=1)).tokens)


def test_a_text_that_ends_early_counts_to_its_end(student: Any) -> None:
    batch = _batch()
    free = _always(student)(batch)
    stop = int(free.tokens[0, 10])
    ended = _always(student, frozenset({stop}))(batch)
    first = next(place for place in range(8, LENGTH) if int(free.tokens[0, place]) == stop)
    assert torch.equal(ended.tokens[0, : first + 1], free.tokens[0, : first + 1])
    each = 15 / 8
    assert ended.weights[0].tolist() == [0] * 8 + [each] * (first - 7) + [0] * (LENGTH - 1 - first)


@pytest.mark.parametrize(
    ("weights", "place"),
    [
        ([0, 1, 1, 1, 1, 1, 1, 1], 4),
        ([0, 0, 0, 0, 0, 0, 1, 1], 6),
        ([0, 1, 1, 0, 0, 1, 1, 0], 5),
        ([0, 1, 0, 1, 0, 0, 0, 0], 3),
        ([0, 1, 1, 0, 0, 0, 0, 0], 1),
        ([0, 0, 0, 0, 0, 0, 0, 0], 4),
        ([1, 1, 0, 0, 0, 0, 0, 0], 1),
    ],
    ids=str,
)
def test_the_student_begins_in_the_middle_or_with_the_next_answer(weights: list[float], place: int) -> None:
    assert first_part(np.array(weights, np.float32)) == place


def test_answers_of_different_beginnings_are_written_together(student: Any) -> None:
    batch = _batch()
    batch.weights[1, :12] = 0
    batch.weights[2, 6:] = 0
    batch.weights[2, :4] = 0
    written = _always(student)(batch)
    for row, start in ((0, 8), (1, 12), (2, 4)):
        assert torch.equal(written.tokens[row, :start], batch.tokens[row, :start])
        assert float(written.weights[row].sum()) == pytest.approx(float(batch.weights[row].sum()))
        assert bool((written.weights[row, start:] > 0).all())


def test_the_students_mode_and_gradients_are_as_before_even_under_autocast() -> None:
    student = decoder("llama", seed=1).train()
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            batch = _always(student)(_batch())
        student(batch.tokens).logits.sum().backward()
    assert student.training
    assert all(parameter.grad is not None for parameter in student.parameters())


def test_the_teacher_is_learnt_on_the_students_own_text() -> None:
    student, teacher = decoder("llama", seed=1), Frozen(decoder("llama", seed=6))
    settings = ObjectiveSettings(divergence="reverse", on_policy=1.0)
    objective = Logits(student, settings, teacher, None)
    objective.writer = writer(student, Parameters(settings, seed=5), "cpu")
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-2)
    held_out = replace(_batch(), tokens=_batch().tokens.flip(0))
    before = float(objective.held_out(held_out).total)
    for step in range(25):
        with torch.no_grad():
            batch = objective.texts(_batch(step))
        assert (batch.rows == WRITTEN).all()
        optimizer.zero_grad()
        (objective(batch).total / _batch().weights.sum()).backward()
        optimizer.step()
    assert float(objective.held_out(held_out).total) < 0.8 * before


def test_the_students_own_text_is_judged_by_the_teacher_alone(student: Any) -> None:
    teacher = Frozen(decoder("llama", seed=6))
    mixed, alone = (Logits(student, ObjectiveSettings(cross_entropy=share), teacher, None) for share in (0.5, 0.0))
    written = _always(student)(_batch())
    with torch.no_grad():
        assert torch.equal(mixed(written).total, alone(written).total)
        assert not torch.allclose(mixed(_batch()).total, alone(_batch()).total)


def test_the_students_own_settings_say_what_ends_a_text() -> None:
    student = decoder("llama", seed=1)
    settings = ObjectiveSettings(on_policy=0.5)
    made = writer(student, Parameters(settings, vocabulary=50, seed=9), "cpu")
    assert made == OnPolicy(student, 0.5, 9, frozenset({EOS}), 50)
    student.generation_config.eos_token_id = [4, 5]
    assert writer(student, Parameters(settings), "cpu") == OnPolicy(student, 0.5, 0, frozenset({4, 5}))
