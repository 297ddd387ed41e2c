"""Whole runs. The first of a pair is killed or stopped as a person would see it, in a child; what is only compared
runs in this process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.torch import save_file
from tiny_models import write_tiny_model
from training_ground import LENGTH, SOURCE, Ground

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.training.launch import train
from edgeshrink.compress.training.record import LOG_FILE, read_log, read_record
from edgeshrink.core.events import Progress
from edgeshrink.core.training import TrainingRecord
from edgeshrink.errors import DataError, NoSpace, RuntimeFailed, StepFailed

Train = Callable[..., None]


@dataclass(frozen=True)
class Curve:
    """What must be the same, to the last bit, whatever happened in between."""

    losses: tuple[tuple[int, float, float], ...]
    held_out: tuple[Any, ...]
    weights: bytes


def curve(workdir: Path) -> Curve:
    record = read_record(workdir / "state")
    losses = tuple((point.step, point.loss, point.rate) for point in record.points)
    return Curve(losses, record.held_out, (workdir / "model" / "model.safetensors").read_bytes())


@pytest.fixture(scope="module")
def whole(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that an undisturbed run of `ground.order()` fills, once."""
    return tmp_path_factory.mktemp("whole")


@pytest.fixture
def undisturbed(whole: Path, ground: Ground, train_here: Train) -> Curve:
    if not (whole / "state").exists():
        train_here(ground.order(), whole)
    return curve(whole)


def test_a_run_that_was_killed_goes_on_to_the_same_end(
    ground: Ground, train_here: Train, undisturbed: Curve, tmp_path: Path
) -> None:
    events: list[Progress] = []
    records: list[TrainingRecord] = []

    with pytest.raises(RuntimeFailed, match="SIGKILL"):
        train(ground.order(accidents={"kill_at": 7}), tmp_path, listener=events.append, on_log=records.append)
    told, _ = read_log(tmp_path / LOG_FILE)
    assert [point.step for point in told] == [3, 6]
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["step-000000005"]
    train_here(ground.order(), tmp_path)

    assert curve(tmp_path) == undisturbed
    assert read_record(tmp_path / "state").resumed == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [LOG_FILE, "model", "state"]
    assert [(event.task, event.done, event.total) for event in events] == [("training", n, 12) for n in range(1, 8)]
    assert all("tok/s" in event.unit and "left" in event.unit for event in events)
    assert [(len(record.points), len(record.held_out)) for record in records] == [(0, 1), (1, 1), (1, 2), (2, 2)]
    assert records[-1].sources == (SOURCE,)
    assert (records[-1].steps, records[-1].planned_steps, records[-1].tokens) == (6, 12, 6 * 9 * LENGTH)


def test_what_is_finished_is_returned_without_a_step(ground: Ground, undisturbed: Curve, whole: Path) -> None:
    record = train(ground.order(accidents={"kill_at": 0}), whole)

    assert record.stopped == "all planned steps are done"
    assert (record.steps, record.tokens, record.workers, record.resumed) == (12, 12 * 9 * LENGTH, 1, 0)
    assert curve(whole) == undisturbed


def test_a_run_that_is_told_to_stop_keeps_the_step_it_was_in(
    ground: Ground, train_here: Train, undisturbed: Curve, tmp_path: Path
) -> None:
    with pytest.raises(StepFailed, match="stopped after step 7"):
        train_here(ground.order(accidents={"stop_at": 6}), tmp_path)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["step-000000007"]
    train_here(ground.order(), tmp_path)

    assert curve(tmp_path) == undisturbed


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_state_before(
    ground: Ground, train_here: Train, undisturbed: Curve, tmp_path: Path
) -> None:
    with pytest.raises(StepFailed, match="not finite in step 9"):
        train_here(ground.order(accidents={"spoil_at": 8}), tmp_path)
    train_here(ground.order(), tmp_path)

    assert curve(tmp_path) == undisturbed


def test_segments_end_where_one_run_does(ground: Ground, train_here: Train, undisturbed: Curve, tmp_path: Path) -> None:
    train_here(ground.order(until=8), tmp_path / "first")
    assert read_record(tmp_path / "first" / "state").steps == 8
    train_here(ground.order(start=tmp_path / "first" / "state"), tmp_path / "second")

    assert curve(tmp_path / "second").weights == undisturbed.weights
    assert curve(tmp_path / "second").held_out == undisturbed.held_out
    record = read_record(tmp_path / "second" / "state")
    assert [point.step for point in record.points] == [3, 6, 8, 9, 12]
    assert record.resumed == 0
    assert curve(tmp_path / "first").weights != undisturbed.weights


def test_a_kill_between_the_last_step_and_the_end_costs_no_step(
    ground: Ground, train_here: Train, undisturbed: Curve, whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole / "state", tmp_path / "checkpoints" / "step-000000012")
    (tmp_path / "model").mkdir()

    train_here(ground.order(accidents={"kill_at": 12}), tmp_path)

    assert curve(tmp_path) == undisturbed


def test_steps_are_those_of_a_plain_loop(
    ground: Ground, corpus: Corpus, undisturbed: Curve, whole: Path, one_thread: None
) -> None:
    """Oracle: transformers' own loss and AdamW, one batch a step, nothing of ours but the rows and their order."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(ground.model, dtype=torch.float32).train()
    groups = [
        {"params": [value for value in model.parameters() if value.dim() == 2], "weight_decay": 0.01},
        {"params": [value for value in model.parameters() if value.dim() == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95))
    order = np.concatenate([corpus.order(0, epoch) for epoch in range(2)])
    for step in range(12):
        tokens, weights = corpus.batch(order[9 * step : 9 * step + 9])
        labels = torch.from_numpy(np.where(weights > 0, tokens, -100)).long()
        model(input_ids=torch.from_numpy(tokens).long(), labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1, (step + 1) / 2) * min(1, (12 - step) / (12 * 0.8))
        optimizer.step()
        optimizer.zero_grad()

    trained = load_file(whole / "model" / "model.safetensors")
    for name, value in model.named_parameters():
        assert np.abs(trained[name] - value.detach().numpy()).max() < 2e-5, name


def test_micro_batches_change_the_last_digits_alone(
    ground: Ground, train_here: Train, undisturbed: Curve, tmp_path: Path
) -> None:
    train_here(ground.order(), tmp_path, micro_rows=2)

    mine = curve(tmp_path)
    assert [look.cross_entropy for look in mine.held_out] == pytest.approx(
        [look.cross_entropy for look in undisturbed.held_out], rel=1e-5
    )
    assert [loss for _, loss, _ in mine.losses] == pytest.approx([loss for _, loss, _ in undisturbed.losses], rel=1e-5)


def test_the_curve_is_that_of_the_rows(ground: Ground, corpus: Corpus, undisturbed: Curve, whole: Path) -> None:
    """Held out before the first step: the model's own cross-entropy, and bits a byte at three bytes a token."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(ground.model, dtype=torch.float32).eval()
    tokens, weights = corpus.batch(np.arange(corpus.held_out_rows), "held_out")
    with torch.no_grad():
        logs = model(torch.from_numpy(tokens).long()).logits.double().log_softmax(-1)
    own = -logs[:, :-1].gather(2, torch.from_numpy(tokens).long()[:, 1:, None])[..., 0].numpy() * weights[:, 1:]

    first = undisturbed.held_out[0]
    assert first.step == 0
    assert first.cross_entropy == pytest.approx(own.sum() / weights.sum(), rel=1e-5)
    assert first.bits_per_byte == pytest.approx(first.cross_entropy / np.log(2) / 3, rel=1e-6)
    assert undisturbed.held_out[-1].cross_entropy < 0.8 * first.cross_entropy


def test_muon_learns_and_goes_on_as_adamw_does(ground: Ground, train_here: Train, tmp_path: Path) -> None:
    for name in ("one", "two"):
        accident = {"stop_at": 6} if name == "two" else {}
        order = ground.order(optimizer="muon", accidents=accident)
        if accident:
            with pytest.raises(StepFailed):
                train_here(order, tmp_path / name)
        train_here(ground.order(optimizer="muon"), tmp_path / name)

    assert curve(tmp_path / "one") == curve(tmp_path / "two")
    looks = curve(tmp_path / "one").held_out
    assert looks[-1].cross_entropy < looks[0].cross_entropy - 0.5


def test_minutes_become_steps_once_the_speed_is_known(ground: Ground, train_here: Train, tmp_path: Path) -> None:
    order = ground.order(steps=None, minutes=0.02)

    train_here(order, tmp_path)

    record = read_record(tmp_path / "state")
    assert record.steps == record.planned_steps >= 8
    assert record.points[-1].rate < record.points[1].rate


def test_minutes_become_steps_in_segments_too(ground: Ground, train_here: Train, tmp_path: Path) -> None:
    order = ground.order(steps=None, minutes=0.01)

    train_here(replace(order, until=5), tmp_path / "a")
    train_here(replace(order, until=10, start=tmp_path / "a/state"), tmp_path / "b")

    first, second = (read_record(tmp_path / name / "state") for name in "ab")
    assert (first.steps, first.planned_steps, first.stopped) == (5, 0, "")
    assert second.planned_steps >= 8


def test_bfloat16_products_keep_float32_parameters_and_the_models_own_type(
    ground: Ground, train_here: Train, tmp_path: Path, demo_model: Path
) -> None:
    import torch
    from safetensors.torch import load_file as load_tensors

    model = write_tiny_model(tmp_path / "half", demo_model, "qwen3")
    values = load_tensors(model / "model.safetensors")
    save_file({name: value.to(torch.bfloat16) for name, value in values.items()}, model / "model.safetensors")

    train_here(ground.order(model=model, precision="bfloat16", steps=6), tmp_path / "run")

    facts = inspect_folder(tmp_path / "run" / "model", "trained")
    assert {tensor.dtype for tensor in facts.tensors} == {"BF16"}
    kept = load_file(tmp_path / "run" / "state" / "parameters-00001.safetensors")
    written = load_tensors(tmp_path / "run" / "model" / "model.safetensors")
    assert all((torch.from_numpy(kept[f"student.{name}"]).bfloat16() == value).all() for name, value in written.items())
    assert any((torch.from_numpy(kept[f"student.{name}"]) != value).any() for name, value in written.items())
    looks = read_record(tmp_path / "run" / "state").held_out
    assert looks[-1].cross_entropy < looks[0].cross_entropy


def test_a_disk_that_is_full_leaves_the_checkpoint_before(
    ground: Ground, train_here: Train, undisturbed: Curve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeshrink.compress.training import checkpoint

    saved: list[Path] = []

    def full(held: dict[str, Any], file: Path) -> None:
        if "step-000000010" in str(file):
            raise SafetensorError("I/O error: No space left on device (os error 28)")
        saved.append(file)
        save_file(held, file)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", full)
        with pytest.raises(NoSpace, match="state of the training"):
            train_here(ground.order(), tmp_path)
    assert saved
    train_here(ground.order(), tmp_path)

    assert curve(tmp_path) == undisturbed


def test_a_corpus_of_other_words_or_rows_and_a_state_that_is_not_whole_are_refused(
    ground: Ground, train_here: Train, undisturbed: Curve, whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="rows of 32 tokens, the training is told 16"):
        train_here(ground.order(length=16), tmp_path / "length")

    other = shutil.copytree(ground.corpus, tmp_path / "corpus")
    (other / "corpus.json").write_text((other / "corpus.json").read_text().replace("4096", "5000"))
    with pytest.raises(DataError, match=r"vocabulary of 5000 tokens, .* knows 4096"):
        train_here(replace(ground.order(), corpus=other), tmp_path / "vocabulary")

    state = shutil.copytree(whole / "state", tmp_path / "state")
    (state / "parameters-00001.safetensors").unlink()
    with pytest.raises(DataError, match=r"has no student\."):
        train_here(ground.order(start=state), tmp_path / "state-run")
