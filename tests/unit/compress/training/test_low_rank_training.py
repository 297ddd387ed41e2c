"""Runs that train low-rank updates alone, beside a frozen base."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from low_rank import PREFIX, quiet_peft
from numpy.typing import NDArray
from safetensors.numpy import load_file
from training_ground import Ground

from edgeshrink.catalog.adapters import read_adapter
from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.adapters.order import FORM, lora_parameters
from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.grid.rounded import Rounding
from edgeshrink.compress.training.memory import SHARD_BYTES, training_bytes
from edgeshrink.compress.training.order import TrainingOrder
from edgeshrink.compress.training.record import read_record
from edgeshrink.core.training import LoraSettings, TrainingSettings
from edgeshrink.errors import StepFailed
from edgeshrink.ggml.quantize import quantize_rows
from edgeshrink.planning.adapters import trained_parameters
from edgeshrink.planning.layout import parameter_count

Train = Callable[..., None]
TARGETS = ("q_proj", "v_proj", "down_proj")
LORA = LoraSettings(rank=4, alpha=12.0, targets=TARGETS)


def order(ground: Ground, settings: LoraSettings, rounding: Rounding | None = None, **changes: Any) -> TrainingOrder:
    parameters = lora_parameters(
        settings, base="ab" * 32, base_name="walker", license="CC0-1.0", rounding=rounding, seed=4
    )
    return replace(ground.order(**changes), form=FORM, form_parameters=parameters)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("updates") / "run"


@pytest.fixture
def trained(place: Path, ground: Ground, train_here: Train) -> Path:
    """The folder of a run that nobody disturbed, trained once."""
    if not place.exists():
        train_here(order(ground, LORA), place)
    return place


@pytest.fixture(scope="module")
def eighths(ground: Ground) -> Rounding:
    """Every matrix but the embedding in blocks of eight bits."""
    matrices = [tensor.name for tensor in inspect_folder(ground.model, "").tensors if len(tensor.shape) == 2]
    return Rounding("Q8_0", {name: "Q8_0" for name in matrices if "embed" not in name})


def delta(folder: Path) -> dict[str, NDArray[np.float64]]:
    """What an adapter's folder adds, by weight, in double precision."""
    arrays = load_file(folder / "adapter_model.safetensors")
    return {
        name.removeprefix(PREFIX).replace(".lora_A.", "."): LORA.alpha
        / LORA.rank
        * arrays[name.replace("lora_A", "lora_B")].astype(np.float64)
        @ array.astype(np.float64)
        for name, array in arrays.items()
        if ".lora_A." in name
    }


def test_steps_are_those_of_peft(ground: Ground, corpus: Corpus, trained: Path, one_thread: None) -> None:
    """Oracle: peft's updates from the same start, transformers' own loss and AdamW; peft reads the result."""
    import torch
    from transformers import AutoModelForCausalLM

    from edgeshrink.compress.adapters.form import LoraForm
    from edgeshrink.compress.adapters.modules import adapted
    from edgeshrink.compress.distill.models import load_model

    ours = load_model(ground.model)
    LoraForm(order(ground, LORA).form_parameters).prepare(ours)
    with quiet_peft() as peft:
        plain = AutoModelForCausalLM.from_pretrained(ground.model, dtype=torch.float32)
        config = peft.LoraConfig(r=4, lora_alpha=12, target_modules=list(TARGETS), task_type="CAUSAL_LM")
        model = peft.get_peft_model(plain, config).train()
        loaded = AutoModelForCausalLM.from_pretrained(ground.model, dtype=torch.float32)
        found = peft.PeftModel.from_pretrained(loaded, trained / "model")
    halves = {name: value for name, value in model.named_parameters() if value.requires_grad}
    assert len(halves) == 2 * len(adapted(ours)) == 12
    with torch.no_grad():
        for name, module in adapted(ours).items():
            start = halves[f"{PREFIX}{name}.lora_A.default.weight"]
            assert start.std().item() == pytest.approx(module.a.std().item(), rel=0.15)
            assert module.b.abs().max() == 0
            start.copy_(module.a)
    optimizer = torch.optim.AdamW(halves.values(), betas=(0.9, 0.95), weight_decay=0.01)
    rows = np.concatenate([corpus.order(0, epoch) for epoch in range(2)])
    for step in range(12):
        tokens, weights = corpus.batch(rows[9 * step : 9 * step + 9])
        labels = torch.from_numpy(np.where(weights > 0, tokens, -100)).long()
        model(input_ids=torch.from_numpy(tokens).long(), labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(halves.values(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1, (step + 1) / 2) * min(1, (12 - step) / (12 * 0.8))
        optimizer.step()
        optimizer.zero_grad()

    written = dict(found.named_parameters())
    for name, value in halves.items():
        assert (written[name] - value).abs().max() < 2e-5, name
        assert value.abs().max() > 1e-3


def test_only_the_updates_stand_in_the_state(ground: Ground, trained: Path) -> None:
    held = load_file(next((trained / "state").glob("parameters-*.safetensors")))

    assert len(held) == 12
    assert sum(value.size for value in held.values()) == trained_parameters(
        inspect_folder(ground.model, ""), 4, TARGETS
    )


def test_a_run_that_was_stopped_goes_on_to_the_same_updates(
    ground: Ground, train_here: Train, trained: Path, tmp_path: Path
) -> None:
    with pytest.raises(StepFailed, match="stopped after step 7"):
        train_here(order(ground, LORA, accidents={"stop_at": 6}), tmp_path)
    train_here(order(ground, LORA), tmp_path)

    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "model" / name).read_bytes() == (trained / "model" / name).read_bytes()


def test_the_folder_says_what_it_was_trained_on(trained: Path) -> None:
    adapter = read_adapter(trained / "model")

    assert (adapter.base, adapter.base_name, adapter.license, adapter.scheme) == ("ab" * 32, "walker", "CC0-1.0", None)
    assert (adapter.rank, adapter.alpha, adapter.targets) == (4, 12.0, tuple(sorted(TARGETS)))
    assert sorted(path.name for path in (trained / "model").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


def test_merged_the_model_is_the_base_plus_the_updates(
    ground: Ground, train_here: Train, trained: Path, tmp_path: Path
) -> None:
    train_here(order(ground, replace(LORA, merged=True)), tmp_path)

    before, after = (load_file(folder / "model.safetensors") for folder in (ground.model, tmp_path / "model"))
    added = delta(trained / "model")
    assert set(after) == set(before)
    assert len(added) == 6
    for name, value in after.items():
        assert value.dtype == before[name].dtype
        if name in added:
            assert np.abs(value - (before[name] + added[name])).max() < 1e-6
            assert np.abs(value - before[name]).max() > 1e-4
        else:
            assert np.array_equal(value, before[name])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "model", "state"]


def test_a_rounded_base_is_what_the_updates_are_trained_beside(
    ground: Ground, train_here: Train, trained: Path, eighths: Rounding, tmp_path: Path
) -> None:
    """Oracle: gguf-py reads the blocks back."""
    import gguf

    train_here(order(ground, LORA, eighths), tmp_path / "kept")
    train_here(order(ground, replace(LORA, merged=True), eighths), tmp_path / "merged")

    added = delta(tmp_path / "kept" / "model")
    assert read_adapter(tmp_path / "kept" / "model").scheme == "Q8_0"
    assert any(np.abs(value - delta(trained / "model")[name]).max() > 0 for name, value in added.items())
    before, after = (
        load_file(folder / "model.safetensors") for folder in (ground.model, tmp_path / "merged" / "model")
    )
    for name, value in after.items():
        expected = before[name]
        if name in eighths.types:
            blocks = quantize_rows(expected, "Q8_0", None, 1)
            expected = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType.Q8_0)
            assert np.abs(expected - before[name]).max() > 1e-5
        assert np.abs(value - (expected + added.get(name, 0.0))).max() < 1e-6
    config = json.loads((tmp_path / "merged" / "model" / "config.json").read_text(encoding="utf-8"))
    assert {config[key] for key in ("dtype", "torch_dtype") if key in config} == {"float32"}


def test_updates_take_larger_steps_unless_a_rate_is_given(ground: Ground, train_here: Train, tmp_path: Path) -> None:
    train_here(order(ground, LORA, rate=None, steps=2, log_every=1), tmp_path / "updates")
    train_here(ground.order(rate=None, steps=2, log_every=1), tmp_path / "whole")

    updates, whole = (
        [point.rate for point in read_record(tmp_path / name / "state").points] for name in ("updates", "whole")
    )
    assert whole[0] == pytest.approx(1e-3)
    assert updates == pytest.approx([5 * rate for rate in whole])


def test_frozen_numbers_take_neither_gradients_nor_moments(demo_model: Path) -> None:
    facts = inspect_folder(demo_model, "demo", weights=False)
    settings = TrainingSettings(steps=1, length=64)
    few = trained_parameters(facts, 8, ())
    large = replace(facts, n_layers=500)
    many = trained_parameters(large, 8, ())

    assert few < 0.07 * parameter_count(facts)
    whole, updates = (training_bytes(large, None, settings, 1, trained=trained).value for trained in (None, many))
    never = 12 * (parameter_count(large) - many) - 4 * many
    assert never <= whole - updates <= never + SHARD_BYTES
