"""What `measure` tells of a cut is the distance of the folder that `apply_cut` writes."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.prune.calibration_rows import calibration_rows
from edgeshrink.compress.prune.cuts import cut_from_json, cut_to_json
from edgeshrink.compress.prune.cutting import apply_cut
from edgeshrink.compress.prune.measuring import measure
from edgeshrink.core.events import Progress
from edgeshrink.core.shape import Cut
from edgeshrink.errors import DataError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

WHOLE = Cut((0, 1), (tuple(range(128)),) * 2, ((0, 1),) * 2, tuple(range(64)))
CUTS = (
    WHOLE,
    replace(WHOLE, layers=(1,), ffn=WHOLE.ffn[:1], groups=WHOLE.groups[:1]),
    replace(
        WHOLE,
        ffn=(tuple(range(0, 128, 2)), tuple(range(64))),
        groups=((1,), (0,)),
        hidden=tuple(range(5, 53)),
    ),
)


def here(job: str, parameters: dict[str, Any], *, on_event: Callable[[dict[str, object]], None]) -> Any:
    """Stands in for the child: its own test starts one."""
    module, _, name = job.partition(":")
    found = getattr(importlib.import_module(module), name)(json.loads(json.dumps(parameters)), on_event)
    return json.loads(json.dumps(found))


def log_probabilities(folder: Path, rows: Any) -> Any:
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    return model.double().eval().requires_grad_(False)(rows).logits.flatten(0, 1).log_softmax(-1)


def test_each_cut_is_as_far_as_its_folder(
    tiny_llama: Path, pruning_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeshrink.runtimes.child.run_job", here)
    told: list[Progress] = []
    found = measure(tiny_llama, CUTS, pruning_text, tokens=128, length=32, threads=1, listener=told.append)
    facts = inspect_folder(tiny_llama, "tiny")
    rows = torch.from_numpy(calibration_rows(facts, pruning_text, tokens=128, length=32, seed=0))
    whole = log_probabilities(tiny_llama, rows)
    assert found[0] == pytest.approx(0, abs=1e-6)
    for number in (1, 2):
        apply_cut(facts, CUTS[number], tmp_path / str(number))
        cut = log_probabilities(tmp_path / str(number), rows)
        assert found[number] == pytest.approx((whole.exp() * (whole - cut)).sum(-1).mean().item(), rel=1e-4)
    assert (told[-1].done, told[-1].total) == (3, 3)


def test_logits_in_pieces_give_the_same_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgeshrink.compress.prune import predictions

    generator = torch.Generator().manual_seed(0)
    whole, cut = torch.randn(37, 8, generator=generator), torch.randn(37, 5, generator=generator)
    whole_head, cut_head = torch.randn(50, 8, generator=generator), torch.randn(50, 5, generator=generator)
    expected = (whole.double() @ whole_head.double().T).log_softmax(-1)
    other = (cut.double() @ cut_head.double().T).log_softmax(-1)
    dense = (expected.exp() * (expected - other)).sum().item()
    monkeypatch.setattr(predictions, "MOST_LOGITS", 3 * 50)
    assert predictions.summed_kl(whole, whole_head, cut, cut_head) == pytest.approx(dense, rel=1e-5)


def test_a_cut_comes_back_from_json() -> None:
    assert all(cut_from_json(json.loads(json.dumps(cut_to_json(cut)))) == cut for cut in CUTS)
    with pytest.raises(DataError, match="no cut"):
        cut_from_json({"layers": [0]})


def test_numbers_that_are_kept_are_the_sources(tiny_llama: Path, tmp_path: Path) -> None:
    load_file = pytest.importorskip("safetensors.numpy").load_file
    apply_cut(inspect_folder(tiny_llama, "tiny"), CUTS[2], tmp_path / "cut")
    before, after = (load_file(folder / "model.safetensors") for folder in (tiny_llama, tmp_path / "cut"))
    hidden, layer = list(CUTS[2].hidden), "model.layers.1."
    np.testing.assert_array_equal(after["lm_head.weight"], before["lm_head.weight"][:, hidden])
    for name, rows, columns in (
        ("self_attn.q_proj", list(range(32)), hidden),
        ("self_attn.k_proj", list(range(16)), hidden),
        ("self_attn.o_proj", hidden, list(range(32))),
        ("mlp.up_proj", list(CUTS[2].ffn[1]), hidden),
        ("mlp.down_proj", hidden, list(CUTS[2].ffn[1])),
    ):
        expected = before[f"{layer}{name}.weight"][np.ix_(rows, columns)]
        np.testing.assert_array_equal(after[f"{layer}{name}.weight"], expected)
