from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_models import MIXTURES, write_tiny_model

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.training.memory import planned_micro_rows, row_bytes, training_bytes
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.training import TrainingSettings
from edgeshrink.errors import PlanError
from edgeshrink.planning.layout import parameter_count

_SETTINGS = TrainingSettings(steps=1, length=64)
_GIB = 1 << 30


@pytest.fixture(scope="module")
def demo(demo_model: Path) -> ModelFacts:
    return inspect_folder(demo_model, "demo", weights=False)


def _saved_bytes(folder: Path, rows: int, length: int, mixed: bool) -> int:
    """What autograd keeps for the way back through the decoder, parameters left out."""
    import torch

    from edgeshrink.compress.distill.models import hidden_states, load_model

    model = load_model(folder)
    own = {value.untyped_storage().data_ptr() for value in model.parameters()}
    kept: dict[int, Any] = {}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=mixed),
    ):
        states = hidden_states(model, torch.zeros((rows, length), dtype=torch.int64))
    del states
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize("kind", ["llama", "qwen3", *MIXTURES])
@pytest.mark.parametrize("mixed", [True, False])
def test_a_row_takes_what_autograd_keeps_of_it(kind: str, mixed: bool, tmp_path: Path, demo_model: Path) -> None:
    folder = write_tiny_model(tmp_path / kind, demo_model, kind)

    told = row_bytes(inspect_folder(folder, kind), None, 64, mixed=mixed)

    kept = (_saved_bytes(folder, 5, 64, mixed) - _saved_bytes(folder, 1, 64, mixed)) / 4
    assert kept <= told <= 2 * kept


def test_parameters_gradients_and_two_moments_are_counted(demo: ModelFacts) -> None:
    much = replace(demo, n_layers=demo.n_layers + 100)

    more = training_bytes(much, None, _SETTINGS, 1).value - training_bytes(demo, None, _SETTINGS, 1).value

    count = parameter_count(much) - parameter_count(demo)
    activations = row_bytes(much, None, 64, mixed=True) - row_bytes(demo, None, 64, mixed=True)
    assert (more - activations) / count >= 16


def test_fsdp_shares_out_what_ddp_repeats(demo: ModelFacts) -> None:
    large = replace(demo, n_layers=500)
    one, ddp, fsdp = (
        training_bytes(large, None, replace(_SETTINGS, parallel=kind), workers).value
        for kind, workers in (("ddp", 1), ("ddp", 8), ("fsdp", 8))
    )

    assert ddp == one
    assert one - fsdp == pytest.approx(16 * parameter_count(large) * 7 / 8, rel=0.05)


def test_a_teacher_takes_its_parameters_at_least(demo: ModelFacts) -> None:
    alone, with_teacher = (training_bytes(demo, teacher, _SETTINGS, 1).value for teacher in (None, demo))

    assert 4 * parameter_count(demo) <= with_teacher - alone <= 8 * parameter_count(demo)


def test_rows_at_once_are_what_fits(demo: ModelFacts) -> None:
    def rows(free: int, settings: TrainingSettings = _SETTINGS) -> int:
        return planned_micro_rows("demo", demo, None, settings, 1, rows=64, free=free, mixed=True)

    assert rows(100 * _GIB) == 64
    some = rows(_GIB)
    assert 1 < some < 64
    assert training_bytes(demo, None, replace(_SETTINGS, micro_rows=some), 1).value <= _GIB
    assert rows(_GIB, replace(_SETTINGS, micro_rows=2)) == 2


@pytest.mark.parametrize("micro_rows", [None, 100_000])
def test_a_run_that_does_not_fit_is_refused_with_its_size(demo: ModelFacts, micro_rows: int | None) -> None:
    large = replace(demo, n_layers=5000) if micro_rows is None else demo
    settings = replace(_SETTINGS, micro_rows=micro_rows)

    with pytest.raises(PlanError, match=r"training big needs about \d+\.\d GiB of RAM for each worker and 2\.0 GiB"):
        planned_micro_rows("big", large, None, settings, 1, rows=64, free=2 * _GIB, mixed=True)
