"""Attention relations against the dense formula in float64: values, gradients, weights, any blocks, any head counts."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgeshrink.compress.distill.representations.relations import (  # noqa: E402
    relation_divergence,
    relation_heads,
)

ROWS, LENGTH = 3, 7


def _dense(student: Any, teacher: Any, weights: Any, heads: int) -> Any:
    """MiniLMv2's loss, spelled out over all pairs of positions, through autograd."""
    later = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)

    def relation(vectors: Any) -> Any:
        split = torch.stack(vectors.chunk(heads, dim=-1), dim=1)  # (rows, heads, length, width / heads)
        products = torch.einsum("bhid,bhjd->bhij", split, split) / math.sqrt(split.shape[-1])
        return products.masked_fill(later, -1e9).softmax(-1)

    own, other = relation(student), relation(teacher)
    divergence = (other * (other.clamp_min(1e-300).log() - own.clamp_min(1e-300).log())).sum(-1)
    return (divergence.mean(1) * weights).sum()


@pytest.fixture(scope="module")
def vectors() -> tuple[Any, Any, Any]:
    generator = torch.Generator().manual_seed(5)
    student = torch.randn(ROWS, LENGTH, 12, generator=generator, dtype=torch.float64)
    teacher = torch.randn(ROWS, LENGTH, 24, generator=generator, dtype=torch.float64)
    return student, teacher, torch.rand(ROWS, LENGTH, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("heads", [1, 2, 6, 12])
@pytest.mark.parametrize("at_once", [1, LENGTH, 2 * LENGTH, LENGTH * LENGTH, 3 * LENGTH * LENGTH, None])
def test_value_and_gradient_are_those_of_the_dense_formula(
    vectors: tuple[Any, Any, Any], heads: int, at_once: int | None
) -> None:
    student, teacher, weights = vectors
    ours, theirs = (student.clone().requires_grad_() for _ in range(2))
    loss = relation_divergence(ours, teacher, weights, heads, at_once=at_once)
    wanted = _dense(theirs, teacher, weights, heads)
    (3 * loss).backward()
    (3 * wanted).backward()
    assert torch.allclose(loss, wanted, rtol=1e-12)
    assert ours.grad is not None and theirs.grad is not None
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-9, atol=1e-12)


def test_no_position_sees_a_later_one(vectors: tuple[Any, Any, Any]) -> None:
    student, teacher, _ = vectors
    early = torch.zeros(ROWS, LENGTH, dtype=torch.float64)
    early[:, :3] = 1
    changed = student.clone()
    changed[:, 3:] += 1
    before = relation_divergence(student, teacher, early, 2)
    assert float(before) > 0.01
    assert torch.equal(before, relation_divergence(changed, teacher, early, 2))


def test_equal_vectors_have_equal_relations(vectors: tuple[Any, Any, Any]) -> None:
    student, _, weights = vectors
    assert float(relation_divergence(student, student, weights, 4)) == pytest.approx(0, abs=1e-15)


def test_bfloat16_vectors_are_compared_in_float32_and_get_a_gradient_of_their_own_type(
    vectors: tuple[Any, Any, Any],
) -> None:
    student, teacher, weights = (tensor.bfloat16() for tensor in vectors)
    ours = student.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        loss = relation_divergence(ours, teacher, weights.float(), 2)
    loss.backward()
    wanted = _dense(student.double(), teacher.double(), weights.double(), 2)
    assert loss.dtype == torch.float32
    assert float(loss.detach()) == pytest.approx(float(wanted), rel=1e-5)
    assert ours.grad is not None and ours.grad.dtype == torch.bfloat16


def test_without_gradients_only_the_value_is_made(vectors: tuple[Any, Any, Any]) -> None:
    student, teacher, weights = vectors
    loss = relation_divergence(student, teacher, weights, 2)
    assert not loss.requires_grad


@pytest.mark.parametrize(
    ("student", "teacher", "heads"),
    [(384, 768, 48), (384, 1024, 64), (256, 256, 16), (64, 128, 8), (96, 128, 8), (7, 64, 1), (64, 8, 1), (96, 160, 8)],
)
def test_as_many_relation_heads_as_both_can_have(student: int, teacher: int, heads: int) -> None:
    """The first two are the paper's own choices: 48 for a base teacher, 64 for a large one."""
    assert relation_heads(student, teacher) == heads
