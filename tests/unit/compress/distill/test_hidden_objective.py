"""The objective hidden: its sums by hand, students of other depth, width and heads, and that training lowers them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from tiny_models import write_tiny_model  # noqa: E402
from torch_decoders import DECODERS, VOCABULARY, decoder  # noqa: E402

from edgeshrink.compress.distill import objectives  # noqa: E402
from edgeshrink.compress.distill.models import load_model  # noqa: E402
from edgeshrink.compress.distill.objectives.hidden import Hidden  # noqa: E402
from edgeshrink.compress.distill.objectives.logits import Logits  # noqa: E402
from edgeshrink.compress.distill.objectives.parameters import Parameters  # noqa: E402
from edgeshrink.compress.distill.representations.capture import capture  # noqa: E402
from edgeshrink.compress.distill.representations.relations import relation_divergence  # noqa: E402
from edgeshrink.compress.training.objective import Batch, Frozen  # noqa: E402
from edgeshrink.core.training import ObjectiveSettings  # noqa: E402
from edgeshrink.errors import PlanError  # noqa: E402

HIDDEN = ObjectiveSettings(kind="hidden")


@pytest.fixture(scope="module")
def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    weights = torch.randint(0, 2, (3, 10), generator=generator).float()
    weights[:, 0] = 0
    return Batch(
        tokens=torch.randint(0, VOCABULARY, (3, 10), generator=generator),
        weights=weights,
        rows=torch.arange(3),
        step=0,
    )


def _teacher(kind: str = "llama") -> Frozen:
    return Frozen(decoder(kind, seed=8, num_hidden_layers=4))


def test_the_total_is_that_of_the_logits_and_the_weighted_parts(batch: Batch) -> None:
    teacher, student = _teacher(), decoder("llama", seed=9)
    alone = Logits(student, HIDDEN, teacher, None)(batch)
    both = Hidden(student, replace(HIDDEN, hidden_weight=0.25), teacher)(batch)
    assert set(both.parts) >= {"hidden", "relations"}
    extra = both.parts["hidden"] + both.parts["relations"]
    assert float(extra) > 1
    assert torch.allclose(both.total, alone.total + 0.25 * extra, rtol=1e-6)


def test_the_states_count_where_the_next_token_does(batch: Batch) -> None:
    """By transformers' own hidden states, over the even pairs (0, 1) and (1, 3)."""
    teacher, student = _teacher(), decoder("llama", seed=9)
    found = Hidden(student, replace(HIDDEN, relations=False), teacher)(batch)
    with torch.no_grad():
        ours, theirs = (
            [*model.model(batch.tokens, output_hidden_states=True).hidden_states] for model in (student, teacher.module)
        )
    cosine = torch.nn.functional.cosine_similarity
    first = 1 - cosine(ours[1], theirs[2], dim=-1)
    assert "relations" not in found.parts
    last = 2 * float(found.parts["hidden"]) - float((first[:, :-1] * batch.weights[:, 1:]).sum())
    student_last, teacher_last = _before_norm(student, batch), _before_norm(teacher.module, batch)
    wanted = (1 - cosine(student_last, teacher_last, dim=-1))[:, :-1] * batch.weights[:, 1:]
    assert last == pytest.approx(float(wanted.sum()), rel=1e-4)


def test_the_relations_are_those_of_the_last_pair_whatever_the_size_of_its_vectors(batch: Batch) -> None:
    teacher, student = _teacher(), decoder("llama", seed=9)
    found = Hidden(student, HIDDEN, teacher).held_out(batch).parts["relations"]
    with torch.no_grad(), capture(student, (), (1,)) as own, capture(teacher.module, (), (3,)) as other:
        student.model(batch.tokens)
        teacher.module.model(batch.tokens)
    weights = torch.zeros(3, 10)
    weights[:, :-1] = batch.weights[:, 1:]
    wanted = 0.0
    for part in ("queries", "keys", "values"):
        ours, theirs = (getattr(heard, part)[layer] for heard, layer in ((own, 1), (other, 3)))
        ours, theirs = (vectors / vectors.square().mean(-1, keepdim=True).sqrt() for vectors in (ours, theirs))
        wanted += float(relation_divergence(ours, theirs, weights, ours.shape[-1] // 16)) / 3
    assert float(found) == pytest.approx(wanted, rel=1e-5)


def _before_norm(model: Any, batch: Batch) -> Any:
    heard = []
    handle = model.model.norm.register_forward_pre_hook(lambda _module, inputs: heard.append(inputs[0]))
    with torch.no_grad():
        model.model(batch.tokens)
    handle.remove()
    return heard[0]


def test_a_student_equal_to_its_teacher_has_nothing_to_learn(batch: Batch) -> None:
    teacher, student = decoder("qwen3", seed=8), decoder("qwen3", seed=8)
    losses = Hidden(student, HIDDEN, Frozen(teacher)).held_out(batch)
    assert float(losses.total) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize(
    "sizes",
    [
        {"num_hidden_layers": 3},
        {"hidden_size": 16, "num_attention_heads": 2, "num_key_value_heads": 1},
        {"intermediate_size": 24},
    ],
    ids=["shallower", "narrower, fewer heads", "narrower feed-forward"],
)
def test_training_lowers_every_part(kind: str, sizes: dict[str, int], batch: Batch) -> None:
    objective = Hidden(decoder(kind, seed=9, **sizes), HIDDEN, _teacher(kind))
    optimizer = torch.optim.AdamW(objective.parameters(), lr=1e-2)
    before = objective.held_out(batch)
    for _ in range(12):
        optimizer.zero_grad()
        (objective(batch).total / batch.weights.sum()).backward()
        optimizer.step()
    after = objective.held_out(batch)
    for part in ("divergence", "hidden", "relations"):
        assert float(after.parts[part]) < 0.9 * float(before.parts[part]), part


def test_projections_are_trained_only_where_widths_differ(batch: Batch) -> None:
    student = decoder("llama", seed=9, hidden_size=24)
    objective = Hidden(student, HIDDEN, _teacher())
    objective(batch).total.backward()
    names = {name for name, parameter in objective.named_parameters() if parameter.grad is not None}
    assert {f"projections.{index}.weight" for index in range(2)} <= names
    assert {name for name in names if not name.startswith("projections.")} == {
        f"student.{name}" for name, _ in student.named_parameters()
    }
    same = Hidden(decoder("llama", seed=9), HIDDEN, _teacher())
    assert not [name for name, _ in same.named_parameters() if name.startswith("projections")]


def test_the_teacher_is_no_part_of_the_objective_and_gets_no_gradient(batch: Batch) -> None:
    teacher = _teacher()
    objective = Hidden(decoder("llama", seed=9), HIDDEN, teacher)
    objective(batch).total.backward()
    ours = {id(parameter) for parameter in objective.parameters()}
    assert not any(id(parameter) in ours or parameter.grad is not None for parameter in teacher.module.parameters())


def test_rows_apart_add_up_to_rows_together(batch: Batch) -> None:
    objective = Hidden(decoder("mistral", seed=9), HIDDEN, _teacher("mistral"))
    whole = objective(batch).total
    apart = [
        objective(Batch(batch.tokens[i : i + 1], batch.weights[i : i + 1], batch.rows[i : i + 1], batch.step)).total
        for i in range(3)
    ]
    assert torch.allclose(whole, torch.stack(apart).sum(), rtol=1e-5)


def test_held_out_tells_the_same_total_and_the_cross_entropy(batch: Batch) -> None:
    objective = Hidden(decoder("llama", seed=9), HIDDEN, _teacher())
    told = objective.held_out(batch)
    assert not told.total.requires_grad
    assert torch.allclose(told.total, objective(batch).total, rtol=1e-6)
    logits = objective.student(batch.tokens).logits[:, :-1]
    wanted = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch.tokens[:, 1:].flatten(), reduction="none")
    assert torch.allclose(told.parts["cross-entropy"], (wanted * batch.weights[:, 1:].flatten()).sum(), rtol=1e-5)


def test_layers_that_are_asked_for_are_matched() -> None:
    objective = Hidden(decoder("llama"), replace(HIDDEN, layers=((0, 0), (1, 2))), _teacher())
    assert objective.layers == ((0, 0), (1, 2))
    with pytest.raises(PlanError, match="the student has 2, the teacher 4"):
        Hidden(decoder("llama"), replace(HIDDEN, layers=((2, 3),)), _teacher())


def test_it_is_built_from_folders(tmp_path: Path, demo_model: Path) -> None:
    folder = write_tiny_model(tmp_path / "teacher", demo_model, "qwen3")
    student = load_model(folder)
    parameters = Parameters(HIDDEN, teacher=folder).json()
    objective = objectives.build(student, parameters, "cpu")
    tokens = torch.arange(12).view(1, 12)
    weights = torch.ones(1, 12)
    weights[:, 0] = 0
    told = objective.held_out(Batch(tokens, weights, torch.arange(1), 0))
    assert float(told.parts["hidden"]) < 0.11  # the teacher may compute in bfloat16
    with pytest.raises(PlanError, match="needs the teacher itself"):
        objectives.build(student, Parameters(replace(HIDDEN, cached=True), cache=tmp_path).json(), "cpu")
