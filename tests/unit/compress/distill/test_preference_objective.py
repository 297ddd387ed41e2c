"""Preferences: losses of pairs and what keeps the student near its teacher, against whole logits in float64."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch_decoders import VOCABULARY, decoder  # noqa: E402

from edgeshrink.compress.corpus.corpus import REJECTED  # noqa: E402
from edgeshrink.compress.distill.objectives.parameters import Parameters  # noqa: E402
from edgeshrink.compress.distill.objectives.preference import Preference, build  # noqa: E402
from edgeshrink.compress.distill.token_log_probs import token_log_probs  # noqa: E402
from edgeshrink.compress.training.objective import Batch, Frozen  # noqa: E402
from edgeshrink.core.training import ObjectiveSettings, PreferenceLoss  # noqa: E402
from edgeshrink.errors import PlanError  # noqa: E402

HALF = 12
PAIR = (((3, 7), 1), ((3, 9), REJECTED))
"""For each half: from where to where the answer goes, and its weight."""
OTHER = (((2, 10), 1), ((2, 5), REJECTED))
TEXT = (((1, 12), 1), ((1, 6), 1))
SETTINGS = ObjectiveSettings(kind="preference", beta=0.3, anchor=0.0)


def batch_of(*rows: tuple[tuple[tuple[int, int], int], ...], seed: int = 3) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.zeros(len(rows), 2, HALF)
    for row, halves in enumerate(rows):
        for half, ((start, end), weight) in enumerate(halves):
            weights[row, half, start:end] = weight
    tokens = torch.randint(0, VOCABULARY, (len(rows), 2 * HALF), generator=generator)
    return Batch(tokens, weights.flatten(1), torch.arange(len(rows)), 0)


@pytest.fixture(scope="module")
def teacher() -> Any:
    return decoder("llama", seed=8).double().eval()


@pytest.fixture(scope="module")
def student() -> Any:
    return decoder("llama", seed=9).double()


def answers(model: Any, batch: Batch) -> tuple[Any, Any]:
    """Log-probabilities of all tokens but a half's first, (rows, 2, HALF - 1), and the weights of those tokens."""
    tokens = batch.tokens.view(-1, HALF)
    logs = model(input_ids=tokens).logits[:, :-1].log_softmax(-1).gather(2, tokens[:, 1:, None])[..., 0]
    shape = (len(batch.tokens), 2, HALF - 1)
    return logs.view(shape), batch.weights.view(len(batch.tokens), 2, HALF)[..., 1:]


def ratios(student: Any, teacher: Any, batch: Batch) -> tuple[Any, Any]:
    """log(student / teacher) of each answer, (rows, 2), and its tokens."""
    (ours, weights), (theirs, _) = answers(student, batch), answers(teacher, batch)
    mask = (weights > 0).double()
    return ((ours - theirs.detach()) * mask).sum(-1), mask.sum(-1)


def dense(name: PreferenceLoss, student: Any, teacher: Any, batch: Batch, beta: float) -> Any:
    sums, tokens = ratios(student, teacher, batch)
    if name == "dpo":
        return -torch.log(torch.sigmoid(beta * (sums[:, 0] - sums[:, 1])))
    means = sums / tokens
    return (means[:, 0] - means[:, 1] - 1 / (2 * beta)) ** 2


def divergences(student: Any, teacher: Any, batch: Batch) -> Any:
    """(rows,): the mean over the tokens of a row that are to be said of KL(teacher, student)."""
    tokens = batch.tokens.view(-1, HALF)
    ours = student(input_ids=tokens).logits[:, :-1].log_softmax(-1)
    theirs = teacher(input_ids=tokens).logits[:, :-1].log_softmax(-1).detach()
    kl = (theirs.exp() * (theirs - ours)).sum(-1).view(len(batch.tokens), -1)
    said = (batch.weights.view(-1, HALF)[:, 1:] == 1).double().view(len(batch.tokens), -1)
    return (kl * said).sum(-1) / said.sum(-1)


def same_gradients(student: Any, mine: Any, wanted: Any) -> None:
    """To the rounding of transformers' norms, which are float32 whatever is around them."""
    parameters = list(student.parameters())
    both = (torch.autograd.grad(total, parameters, allow_unused=True) for total in (mine, wanted))
    for one, other in zip(*both, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["dpo", "ipo"])
def test_pairs_are_the_dense_formula(student: Any, teacher: Any, name: PreferenceLoss) -> None:
    batch = batch_of(PAIR, OTHER)
    losses = Preference(student, replace(SETTINGS, preference_loss=name), Frozen(teacher))(batch)
    wanted = dense(name, student, teacher, batch, 0.3).sum()
    assert losses.total.item() == pytest.approx(wanted.item(), rel=1e-9)
    assert float(losses.parts["preference"]) == pytest.approx(wanted.item(), rel=1e-9)
    same_gradients(student, losses.total, wanted)


def test_the_anchor_is_each_row_s_mean_divergence_where_nothing_is_rejected(student: Any, teacher: Any) -> None:
    batch = batch_of(PAIR, TEXT, OTHER)
    losses = Preference(student, replace(SETTINGS, anchor=0.7), Frozen(teacher))(batch)
    pairs = dense("dpo", student, teacher, batch_of(PAIR, TEXT, OTHER), 0.3)[[0, 2]].sum()
    anchored = divergences(student, teacher, batch).sum()
    assert float(losses.parts["preference"]) == pytest.approx(pairs.item(), rel=1e-9)
    assert float(losses.parts["divergence"]) == pytest.approx(anchored.item(), rel=1e-9)
    assert losses.total.item() == pytest.approx((pairs + 0.7 * anchored).item(), rel=1e-9)
    same_gradients(student, losses.total, pairs + 0.7 * anchored)


def test_a_row_counts_as_one_and_may_stand_in_any_batch(student: Any, teacher: Any) -> None:
    objective = Preference(student, replace(SETTINGS, anchor=0.5), Frozen(teacher))
    batch = batch_of(PAIR, TEXT, OTHER)
    apart = [
        Batch(batch.tokens[row : row + 1], batch.weights[row : row + 1], batch.rows[row : row + 1], 0)
        for row in range(3)
    ]
    assert objective(batch).total.item() == pytest.approx(sum(objective(one).total.item() for one in apart), rel=1e-9)
    counted = objective.counted(batch)
    assert int(counted.total) == 3 and int(counted.text) == 4 + 11 + 5 + 8
    filler = Batch(apart[0].tokens, torch.zeros_like(apart[0].weights), apart[0].rows, 0)
    assert int(objective.counted(filler).total) == 0
    losses = objective(filler)
    assert losses.total.item() == 0
    losses.total.backward()  # all workers take part in the exchange of gradients


def test_a_student_that_is_its_teacher_stands_at_the_middle(teacher: Any) -> None:
    objective = Preference(decoder("llama", seed=8).double(), replace(SETTINGS, anchor=1.0), Frozen(teacher))
    losses = objective.held_out(batch_of(PAIR, OTHER))
    assert float(losses.parts["preference"]) == pytest.approx(2 * np.log(2), rel=1e-9)
    assert float(losses.parts["divergence"]) == pytest.approx(0, abs=1e-12)


def test_held_out_rows_also_tell_how_the_chosen_text_is_read(student: Any, teacher: Any) -> None:
    batch = batch_of(PAIR, OTHER)
    losses = Preference(student, SETTINGS, Frozen(teacher)).held_out(batch)
    found, weights = answers(student, batch)
    assert float(losses.parts["cross-entropy"]) == pytest.approx(-found[weights == 1].sum().item(), rel=1e-9)
    assert not losses.total.requires_grad


def test_training_prefers_what_was_chosen_and_the_anchor_holds_it_back(teacher: Any) -> None:
    batch, gaps, distances = batch_of(PAIR, OTHER), [], []
    for anchor in (0.0, 20.0):
        student = decoder("llama", seed=8).double()
        objective = Preference(student, replace(SETTINGS, anchor=anchor), Frozen(teacher))
        optimizer = torch.optim.AdamW(objective.parameters(), lr=3e-3)
        for _ in range(10):
            optimizer.zero_grad()
            objective(batch).total.backward()
            optimizer.step()
        with torch.no_grad():
            sums, _ = ratios(student, teacher, batch)
            gaps.append(float((sums[:, 0] - sums[:, 1]).min()))
            distances.append(float(divergences(student, teacher, batch).sum()))
    assert gaps[0] > 1 and gaps[1] > 0
    assert distances[1] < 0.5 * distances[0]


def test_probabilities_of_tokens_are_those_of_whole_logits_in_pieces_of_any_size() -> None:
    generator = torch.Generator().manual_seed(5)
    hidden, head, scale = (
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((11, 6), (17, 6), (11,))
    )
    targets = torch.randint(0, 17, (11,), generator=generator)
    wanted = (hidden @ head.t()).log_softmax(-1).gather(1, targets[:, None])[:, 0]
    by_whole = torch.autograd.grad((wanted * scale).sum(), (hidden, head))
    for logits_at_once in (1, 17 * 4, 1 << 20):
        found = token_log_probs(hidden, head, targets, logits_at_once=logits_at_once)
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
        for one, other in zip(torch.autograd.grad((found * scale).sum(), (hidden, head)), by_whole, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_bfloat16_products_around_it_do_not_blur_an_answer() -> None:
    generator = torch.Generator().manual_seed(6)
    hidden, head = (torch.randn(shape, generator=generator) for shape in ((40, 64), (300, 64)))
    targets = torch.randint(0, 300, (40,), generator=generator)
    wanted = (hidden.double() @ head.double().t()).log_softmax(-1).gather(1, targets[:, None]).sum()
    with torch.autocast("cpu", torch.bfloat16):
        found = token_log_probs(hidden, head, targets).sum()
    assert found.item() == pytest.approx(wanted.item(), abs=1e-3)


def test_what_means_nothing_here_is_refused(student: Any) -> None:
    for settings, words in (
        (replace(SETTINGS, cached=True), "need the teacher itself"),
        (replace(SETTINGS, on_policy=0.5), "are there already"),
    ):
        with pytest.raises(PlanError, match=words):
            build(student, Parameters(settings, teacher=None if settings.cached else __file__), "cpu")
