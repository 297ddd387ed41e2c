"""Objectives over logits on tiny models, against whole logits through autograd and transformers' own loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from edgeshrink.compress.corpus.corpus import Corpus  # noqa: E402
from edgeshrink.compress.distill.models import load_frozen, load_model  # noqa: E402
from edgeshrink.compress.distill.objectives import build  # noqa: E402
from edgeshrink.compress.distill.objectives.logits import Logits  # noqa: E402
from edgeshrink.compress.distill.objectives.parameters import Parameters  # noqa: E402
from edgeshrink.compress.distill.teacher_cache import job  # noqa: E402
from edgeshrink.compress.distill.teacher_cache.settings import CacheSettings  # noqa: E402
from edgeshrink.compress.distill.teacher_cache.teller import Teller  # noqa: E402
from edgeshrink.compress.training.objective import Batch, Frozen  # noqa: E402
from edgeshrink.core.training import ObjectiveSettings  # noqa: E402
from edgeshrink.errors import DataError, PlanError  # noqa: E402


@pytest.fixture(scope="module")
def student(tiny_student: Path) -> Any:
    return load_model(tiny_student)


@pytest.fixture(scope="module")
def teacher(tiny_teacher: Path) -> Any:
    """Exact, so that a dense formula can be right to many digits."""
    return load_frozen(tiny_teacher, mixed=False)


def batch_of(corpus: Corpus, rows: list[int], part: Any = "train") -> Batch:
    tokens, weights = corpus.batch(np.array(rows), part)
    return Batch(torch.from_numpy(tokens).long(), torch.from_numpy(weights), torch.tensor(rows), 0)


@pytest.fixture
def batch(tiny_corpus: Corpus) -> Batch:
    return batch_of(tiny_corpus, [5, 0, 2])


def dense(student: Any, teacher: Any, batch: Batch, temperature: float, share: float) -> tuple[Any, Any, Any]:
    """Total, divergence and cross-entropy from whole logits."""
    ours = student(input_ids=batch.tokens).logits[:, :-1]
    with torch.no_grad():
        theirs = teacher(input_ids=batch.tokens).logits[:, :-1]
    logs = [torch.log_softmax(one / temperature, -1) for one in (ours, theirs)]
    kl = torch.nn.functional.kl_div(*logs, log_target=True, reduction="none").sum(-1) * temperature**2
    text = torch.nn.functional.cross_entropy(
        ours.flatten(0, 1), batch.tokens[:, 1:].flatten(), reduction="none"
    ).view_as(kl)
    weights = batch.weights[:, 1:]
    divergence, entropy = (weights * kl).sum(), (weights * text).sum()
    return (1 - share) * divergence + share * entropy, divergence, entropy


def gradients(student: Any, total: Any) -> list[Any]:
    return list(torch.autograd.grad(total, list(student.parameters())))


@pytest.mark.parametrize(("temperature", "share"), [(1.0, 0.0), (1.0, 0.3), (2.0, 0.3)])
def test_online_distillation_is_the_dense_formula(
    student: Any, teacher: Any, batch: Batch, temperature: float, share: float
) -> None:
    settings = ObjectiveSettings(temperature=temperature, cross_entropy=share)
    objective = Logits(student, settings, Frozen(teacher), None)
    wanted, divergence, entropy = dense(student, teacher, batch, temperature, share)
    losses = objective(batch)
    torch.testing.assert_close(losses.total, wanted, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(losses.parts["divergence"], divergence.detach(), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(losses.parts["cross-entropy"], entropy.detach(), rtol=1e-5, atol=1e-4)
    for mine, other in zip(gradients(student, losses.total), gradients(student, wanted), strict=True):
        assert torch.linalg.norm(mine - other) < 1e-4 * torch.linalg.norm(other)


def test_only_the_student_is_registered(student: Any, teacher: Any) -> None:
    objective = Logits(student, ObjectiveSettings(), Frozen(teacher), None)
    assert len(list(objective.parameters())) == len(list(student.parameters()))


def test_rows_may_be_cut_into_any_batches(student: Any, teacher: Any, tiny_corpus: Corpus) -> None:
    objective = Logits(student, ObjectiveSettings(cross_entropy=0.5), Frozen(teacher), None)
    whole = objective(batch_of(tiny_corpus, [1, 3, 4])).total
    parts = sum(objective(batch_of(tiny_corpus, rows)).total for rows in ([1], [3, 4]))
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-3)


def test_held_out_rows_also_tell_the_text_s_own_loss(student: Any, teacher: Any, tiny_corpus: Corpus) -> None:
    objective = Logits(student, ObjectiveSettings(temperature=2.0), Frozen(teacher), None)
    batch = batch_of(tiny_corpus, [0, 1], "held_out")
    losses = objective.held_out(batch)
    wanted, _, entropy = dense(student, teacher, batch, 2.0, 0.0)
    assert "cross-entropy" not in objective(batch).parts
    torch.testing.assert_close(losses.total, wanted.detach(), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(losses.parts["cross-entropy"], entropy.detach(), rtol=1e-5, atol=1e-4)
    assert not losses.total.requires_grad


def test_text_that_the_student_wrote_is_no_text_to_learn(student: Any, teacher: Any, batch: Batch) -> None:
    written = replace(batch, rows=torch.full_like(batch.rows, -1))
    objective = Logits(student, ObjectiveSettings(cross_entropy=0.5), Frozen(teacher), None)
    objective.writer = lambda _: written
    losses = objective(objective.texts(batch))
    torch.testing.assert_close(losses.total, dense(student, teacher, batch, 1.0, 0.0)[0], rtol=1e-5, atol=1e-4)


def test_a_shared_vocabulary_leaves_padding_out(student: Any, teacher: Any, batch: Batch) -> None:
    """Tokens below 3000 alone: as if both heads had so many rows."""
    low = replace(batch, tokens=batch.tokens % 3000)
    objective = Logits(student, ObjectiveSettings(), Frozen(teacher), None, vocabulary=3000)
    ours = student(input_ids=low.tokens).logits[:, :-1, :3000]
    theirs = teacher(input_ids=low.tokens).logits[:, :-1, :3000]
    wanted = torch.nn.functional.kl_div(
        ours.log_softmax(-1), theirs.log_softmax(-1), log_target=True, reduction="none"
    ).sum(-1)
    torch.testing.assert_close(objective(low).total, (low.weights[:, 1:] * wanted).sum(), rtol=1e-5, atol=1e-4)


@pytest.fixture(scope="module")
def cache(teacher: Any, tiny_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of everything, exactly: nothing is left to draw from."""
    folder = tmp_path_factory.mktemp("whole-cache")
    job.write(Teller(teacher, CacheSettings(top=4096, draws=0)), tiny_corpus, folder, lambda _: None)
    return folder


@pytest.mark.parametrize(("name", "temperature"), [("forward", 1.0), ("forward", 2.0), ("skew-forward", 1.0)])
def test_a_cache_of_all_tokens_teaches_what_the_teacher_does(
    student: Any, teacher: Any, cache: Path, tiny_corpus: Corpus, name: Any, temperature: float
) -> None:
    settings = ObjectiveSettings(divergence=name, temperature=temperature, cross_entropy=0.2, cached=True)
    cached = build(student, Parameters(settings, cache=cache).json(), "cpu")
    online = Logits(student, replace(settings, cached=False), Frozen(teacher), None)
    for batch, found, wanted in (
        (batch_of(tiny_corpus, [6, 1]), cached.forward, online.forward),
        (batch_of(tiny_corpus, [2, 0], "held_out"), cached.held_out, online.held_out),
    ):
        one, other = found(batch), wanted(batch)
        assert one.total.item() == pytest.approx(other.total.item(), rel=0.02)
        assert one.parts["cross-entropy"].item() == pytest.approx(other.parts["cross-entropy"].item(), rel=1e-4)
    mine, theirs = (gradients(student, one(batch_of(tiny_corpus, [6, 1])).total) for one in (cached, online))
    for some, exact in zip(mine, theirs, strict=True):
        assert torch.linalg.norm(some - exact) < 0.03 * torch.linalg.norm(exact)


def test_sequences_are_learnt_by_transformers_own_loss(student: Any, batch: Batch) -> None:
    objective = build(student, Parameters(ObjectiveSettings(kind="sequence")).json(), "cpu")
    labels = torch.where(batch.weights > 0, batch.tokens, -100)
    count = (batch.weights[:, 1:] > 0).sum()
    wanted = student(input_ids=batch.tokens, labels=labels).loss * count
    losses = objective(batch)
    torch.testing.assert_close(losses.total, wanted, rtol=1e-5, atol=1e-4)
    for mine, other in zip(gradients(student, losses.total), gradients(student, wanted), strict=True):
        assert torch.linalg.norm(mine - other) < 1e-4 * torch.linalg.norm(other)
    assert objective.held_out(batch).parts.keys() == {"cross-entropy"}


def test_a_batch_in_which_nothing_counts_has_gradients_of_nothing(student: Any, teacher: Any, batch: Batch) -> None:
    nothing = replace(batch, weights=torch.zeros_like(batch.weights))
    losses = Logits(student, ObjectiveSettings(), Frozen(teacher), None)(nothing)
    assert losses.total.item() == 0
    assert not any(one.any() for one in gradients(student, losses.total))


def test_another_vocabulary_is_refused(student: Any, teacher: Any) -> None:
    config = transformers.LlamaConfig(
        vocab_size=100,
        hidden_size=8,
        intermediate_size=8,
        num_attention_heads=1,
        num_key_value_heads=1,
        num_hidden_layers=1,
    )
    short = transformers.LlamaForCausalLM(config)
    with pytest.raises(DataError, match="the teacher has 4096 tokens and the student 100") as refusal:
        Logits(short, ObjectiveSettings(), Frozen(teacher), None)
    assert "--objective sequence" in refusal.value.hint


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (ObjectiveSettings(), "needs a teacher"),
        (ObjectiveSettings(cached=True), "needs the cache"),
        (ObjectiveSettings(cached=True, divergence="jsd"), "divergence jsd weighs every token"),
        (ObjectiveSettings(cached=True, on_policy=0.5), "knows nothing of what the student writes"),
        (ObjectiveSettings(kind="sequence", on_policy=0.5), "no teacher that could score"),
    ],
)
def test_what_cannot_be_built_says_why(student: Any, settings: ObjectiveSettings, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        build(student, Parameters(settings).json(), "cpu")


def test_parameters_cross_as_json() -> None:
    settings = ObjectiveSettings(kind="hidden", layers=((0, 1), (1, 3)), divergence="jsd", skew=0.5)
    given = Parameters(settings, Path("/t"), None, 4096, 7)
    assert Parameters.of(given.json()) == given
