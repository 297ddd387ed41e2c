"""Chunked losses and their gradients against dense formulas in float64 through autograd."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgeshrink.compress.distill.chunked import Dense, chunked_losses  # noqa: E402
from edgeshrink.compress.distill.divergences import divergence  # noqa: E402
from edgeshrink.compress.distill.mixture import Mix, Sparse  # noqa: E402
from edgeshrink.errors import PlanError, UsageError  # noqa: E402

TOKENS, VOCABULARY, WIDTH, TEACHER_WIDTH = 13, 37, 5, 7
SKEW = 0.3
Dense64 = Callable[[Any, Any], Any]


def _sum(values: Any) -> Any:
    return values.sum(-1)


def _kl(first: Any, second: Any) -> Any:
    return _sum(first * (first.log() - second.log()))


ORACLES: dict[str, Dense64] = {
    "forward": lambda t, s: _kl(t, s),
    "reverse": lambda t, s: _kl(s, t),
    "skew-forward": lambda t, s: _kl(t, SKEW * t + (1 - SKEW) * s),
    "skew-reverse": lambda t, s: _kl(s, SKEW * s + (1 - SKEW) * t),
    "jsd": lambda t, s: SKEW * _kl(t, SKEW * t + (1 - SKEW) * s) + (1 - SKEW) * _kl(s, SKEW * t + (1 - SKEW) * s),
}


class Case:
    """Random states and heads; the student's are leaves that want gradients."""

    def __init__(self, dtype: Any = torch.float64, seed: int = 0) -> None:
        random = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Any:
            return torch.randn(*shape, generator=random, dtype=torch.float64).to(dtype)

        self.hidden = normal(TOKENS, WIDTH).requires_grad_()
        self.head = normal(VOCABULARY, WIDTH).requires_grad_()
        self.teacher = Dense(normal(TOKENS, TEACHER_WIDTH), normal(VOCABULARY, TEACHER_WIDTH))
        self.targets = torch.randint(VOCABULARY, (TOKENS,), generator=random)
        self.weights = torch.rand(TOKENS, generator=random, dtype=torch.float64).to(dtype)
        self.weights[3] = 0

    def probabilities(self, temperature: float) -> tuple[Any, Any]:
        ours = torch.softmax(self.hidden @ self.head.t() / temperature, -1)
        return torch.softmax(self.teacher.hidden @ self.teacher.head.t() / temperature, -1), ours

    def text(self) -> Any:
        return torch.nn.functional.cross_entropy(self.hidden @ self.head.t(), self.targets, reduction="none")

    def gradients(self, total: Any) -> tuple[Any, Any]:
        return torch.autograd.grad(total * 1.7, (self.hidden, self.head))


def close(found: Any, wanted: Any) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("rows", [1, 4, 100])
@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("name", list(ORACLES))
def test_values_and_gradients_are_those_of_the_dense_formula(
    name: str, temperature: float, share: float, rows: int
) -> None:
    case = Case()
    teacher, ours = case.probabilities(temperature)
    divergences, text = ORACLES[name](teacher, ours) * temperature**2, case.text()
    wanted = (case.weights * ((1 - share) * divergences + share * text)).sum()
    mix = Mix(divergence(name, SKEW), temperature, share)
    found = chunked_losses(
        case.hidden,
        case.head,
        case.targets,
        case.weights,
        case.teacher,
        mix,
        text=True,
        logits_at_once=rows * VOCABULARY,
    )
    close(found.total, wanted)
    close(found.divergence, (case.weights * divergences).sum().detach())
    close(found.cross_entropy, (case.weights * text).sum().detach())
    for mine, other in zip(case.gradients(found.total), case.gradients(wanted), strict=True):
        close(mine, other)


def some_entries(case: Case, temperature: float) -> tuple[Sparse, Any]:
    """The three likeliest exactly, four draws from the rest, one id twice; and the distribution they stand for."""
    teacher, _ = case.probabilities(temperature)
    top = teacher.topk(3)
    rest = teacher.scatter(1, top.indices, 0.0)
    draws = torch.multinomial(rest, 4, generator=torch.Generator().manual_seed(9))
    draws[:, 3] = draws[:, 2]
    ids = torch.cat([top.indices, draws], 1)
    tail = rest.sum(-1, keepdim=True) / 4
    mass = torch.cat([top.values, tail.expand(-1, 4)], 1)
    stood_for = torch.zeros_like(teacher).scatter_add(1, ids, mass)
    return Sparse(ids, teacher.gather(1, ids).log(), mass), stood_for


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("name", ["forward", "skew-forward"])
def test_a_sparse_teacher_pulls_at_its_entries(name: str, temperature: float, share: float) -> None:
    case = Case(seed=1)
    entries, stood_for = some_entries(case, temperature)
    teacher, ours = case.probabilities(temperature)
    against = ours if name == "forward" else SKEW * teacher + (1 - SKEW) * ours
    divergences = _sum(stood_for * (teacher.log() - against.log())) * temperature**2
    wanted = (case.weights * ((1 - share) * divergences + share * case.text())).sum()
    mix = Mix(divergence(name, SKEW), temperature, share)
    found = chunked_losses(
        case.hidden, case.head, case.targets, case.weights, entries, mix, logits_at_once=5 * VOCABULARY
    )
    close(found.total, wanted)
    close(found.divergence, (case.weights * divergences).sum().detach())
    for mine, other in zip(case.gradients(found.total), case.gradients(wanted), strict=True):
        close(mine, other)


def test_without_a_teacher_it_is_cross_entropy() -> None:
    case = Case(seed=2)
    wanted = (case.weights * case.text()).sum()
    found = chunked_losses(
        case.hidden, case.head, case.targets, case.weights, None, Mix(divergence("reverse", 0)), logits_at_once=1
    )
    close(found.total, wanted)
    close(found.cross_entropy, wanted.detach())
    assert found.divergence is None
    for mine, other in zip(case.gradients(found.total), case.gradients(wanted), strict=True):
        close(mine, other)


def test_skew_of_nothing_is_the_plain_divergence() -> None:
    case = Case(seed=3)
    totals = {
        name: chunked_losses(
            case.hidden, case.head, case.targets, case.weights, case.teacher, Mix(divergence(name, 0.0))
        ).total
        for name in ("forward", "skew-forward", "reverse", "skew-reverse")
    }
    close(totals["skew-forward"], totals["forward"])
    close(totals["skew-reverse"], totals["reverse"])
    assert abs(totals["forward"] - totals["reverse"]) > 1e-3


def test_no_tokens_are_a_loss_of_nothing_with_gradients_of_nothing() -> None:
    case = Case()
    none = slice(0, 0)
    found = chunked_losses(
        case.hidden[none], case.head, case.targets[none], case.weights[none], None, Mix(divergence("forward", 0))
    )
    found.total.backward()
    assert found.total.item() == 0
    assert torch.equal(case.head.grad, torch.zeros_like(case.head))


def test_without_gradients_only_values_are_made() -> None:
    case = Case()
    with torch.no_grad():
        found = chunked_losses(
            case.hidden, case.head, case.targets, case.weights, case.teacher, Mix(divergence("jsd", 0.5))
        )
    assert not found.total.requires_grad
    teacher, ours = case.probabilities(1.0)
    middle = (teacher + ours) / 2
    close(found.total, (case.weights * (_kl(teacher, middle) + _kl(ours, middle)) / 2).sum().detach())


@pytest.mark.parametrize("entries", [False, True])
def test_autocast_multiplies_in_bfloat16_and_sums_in_float32(entries: bool) -> None:
    case, exact = Case(torch.float32, seed=4), Case(torch.float64, seed=4)
    teacher: Any = some_entries(case, 1.0)[0] if entries else case.teacher
    exactly: Any = some_entries(exact, 1.0)[0] if entries else exact.teacher
    mix = Mix(divergence("forward", 0), cross_entropy=0.5)
    with torch.autocast("cpu", torch.bfloat16):
        found = chunked_losses(case.hidden, case.head, case.targets, case.weights, teacher, mix)
    wanted = chunked_losses(exact.hidden, exact.head, exact.targets, exact.weights, exactly, mix)
    assert found.total.dtype == torch.float32
    assert found.total.item() == pytest.approx(wanted.total.item(), rel=0.01)
    assert found.total.item() != pytest.approx(wanted.total.item(), rel=1e-6)  # it did round
    for mine, other in zip(case.gradients(found.total), exact.gradients(wanted.total), strict=True):
        assert mine.dtype == torch.float32
        assert torch.linalg.norm(mine.double() - other) < 0.02 * torch.linalg.norm(other)


def test_a_divergence_of_the_whole_teacher_refuses_a_sample() -> None:
    case = Case()
    entries, _ = some_entries(case, 1.0)
    for name in ("reverse", "skew-reverse", "jsd"):
        with pytest.raises(PlanError, match=rf"divergence {name} weighs every token"):
            chunked_losses(case.hidden, case.head, case.targets, case.weights, entries, Mix(divergence(name, SKEW)))


@pytest.mark.parametrize(("name", "skew"), [("jsd", 0.0), ("jsd", 1.0), ("skew-forward", -0.1), ("skew-reverse", 1.0)])
def test_a_skew_out_of_range_is_refused(name: str, skew: float) -> None:
    with pytest.raises(UsageError, match=f"skew of {name}"):
        divergence(name, skew)


def test_extreme_logits_stay_finite() -> None:
    case = Case()
    loud = Dense(case.teacher.hidden * 200, case.teacher.head)
    for name in ORACLES:
        found = chunked_losses(
            case.hidden.float() * 50, case.head.float(), case.targets, case.weights, loud, Mix(divergence(name, SKEW))
        )
        assert math.isfinite(found.total.item())
        assert all(torch.isfinite(one).all() for one in case.gradients(found.total))
