"""The objective of cases against dense formulas: the teacher on answers, the text itself where it is decided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from edgeshrink.compress.distill.models import load_frozen, load_model  # noqa: E402
from edgeshrink.compress.distill.objectives import build  # noqa: E402
from edgeshrink.compress.distill.objectives.parameters import Parameters  # noqa: E402
from edgeshrink.compress.distill.objectives.tool_policy import ToolPolicy  # noqa: E402
from edgeshrink.compress.training.objective import Batch, Frozen  # noqa: E402
from edgeshrink.core.training import ObjectiveSettings  # noqa: E402
from edgeshrink.errors import PlanError  # noqa: E402

_WEIGHT = 6.0


@pytest.fixture(scope="module")
def student(tiny_student: Path) -> Any:
    return load_model(tiny_student)


@pytest.fixture(scope="module")
def teacher(tiny_teacher: Path) -> Any:
    return load_frozen(tiny_teacher, mixed=False)


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Two cases: a prompt, a token that decides, an answer, padding."""
    draw = torch.Generator().manual_seed(2)
    tokens = torch.randint(3, 4096, (2, 12), generator=draw)
    weights = torch.zeros(2, 12)
    weights[0, 5:9], weights[0, 5] = 1, _WEIGHT
    weights[1, 3:12], weights[1, 4] = 1, _WEIGHT
    return Batch(tokens, weights, torch.arange(2), 0)


def _dense(student: Any, teacher: Any, batch: Batch) -> tuple[Any, Any, Any]:
    """(weighted sum, forward divergence of what does not decide, cross-entropy of every token: (rows, length - 1))."""
    ours = torch.log_softmax(student(input_ids=batch.tokens).logits[:, :-1].double(), -1)
    with torch.no_grad():
        theirs = torch.log_softmax(teacher(input_ids=batch.tokens).logits[:, :-1].double(), -1)
    entropy = -ours.gather(-1, batch.tokens[:, 1:, None])[..., 0]
    divergence = (theirs.exp() * (theirs - ours)).sum(-1)
    weights = batch.weights[:, 1:]
    total = divergence[weights == 1].sum() + _WEIGHT * entropy[weights == _WEIGHT].sum()
    return total, divergence[weights == 1].sum(), entropy


def test_answers_follow_the_teacher_and_decisions_the_text(student: Any, teacher: Any, batch: Batch) -> None:
    losses = ToolPolicy(student, ObjectiveSettings(kind="tool-policy"), Frozen(teacher), None)(batch)
    wanted, divergence, entropy = _dense(student, teacher, batch)
    parts = {name: value.double() for name, value in losses.parts.items()}
    torch.testing.assert_close(losses.total.double(), wanted, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(parts["divergence"], divergence.detach(), rtol=1e-5, atol=1e-4)
    decisions = _WEIGHT * entropy[batch.weights[:, 1:] == _WEIGHT].sum()
    torch.testing.assert_close(parts["decision"], decisions.detach(), rtol=1e-5, atol=1e-4)
    mine, other = (torch.autograd.grad(total, list(student.parameters())) for total in (losses.total, wanted))
    for one, another in zip(mine, other, strict=True):
        assert torch.linalg.norm(one - another) < 1e-4 * torch.linalg.norm(another)


def test_a_batch_without_decisions_is_that_of_logits(student: Any, teacher: Any, batch: Batch) -> None:
    plain = Batch(batch.tokens, (batch.weights > 0).float(), batch.rows, 0)
    settings = ObjectiveSettings(kind="tool-policy")
    total, divergence, _ = _dense(student, teacher, plain)
    losses = ToolPolicy(student, settings, Frozen(teacher), None)(plain)
    torch.testing.assert_close(losses.total.double(), divergence, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(total, divergence)
    assert float(losses.parts["decision"]) == 0
    losses.total.backward()


def test_held_out_the_cross_entropy_is_that_of_all_tokens_alike(student: Any, teacher: Any, batch: Batch) -> None:
    objective = ToolPolicy(student.eval(), ObjectiveSettings(kind="tool-policy"), Frozen(teacher), None)
    losses = objective.held_out(batch)
    with torch.no_grad():
        total, _, entropy = _dense(student, teacher, batch)
    torch.testing.assert_close(losses.total.double(), total, rtol=1e-5, atol=1e-4)
    wanted = entropy[batch.weights[:, 1:] > 0].sum()
    torch.testing.assert_close(losses.parts["cross-entropy"].double(), wanted, rtol=1e-5, atol=1e-4)
    counted = objective.counted(batch)
    assert (float(counted.total), float(counted.text)) == (11 + 2 * _WEIGHT, 13)
    student.train()


def test_it_is_built_by_name_and_never_on_policy(student: Any, tiny_teacher: Path) -> None:
    settings = ObjectiveSettings(kind="tool-policy")
    assert isinstance(build(student, Parameters(settings, teacher=tiny_teacher).json(), "cpu"), ToolPolicy)
    on_policy = ObjectiveSettings(kind="tool-policy", on_policy=0.5)
    with pytest.raises(PlanError, match="cases"):
        build(student, Parameters(on_policy, teacher=tiny_teacher).json(), "cpu")
