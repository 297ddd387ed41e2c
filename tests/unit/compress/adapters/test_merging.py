"""An adapter merged without torch: peft's own merge, in the type of the base."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from low_rank import write_random_adapter

from edgeshrink.catalog.adapters import read_adapter
from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.compress.adapters.merging import merge
from edgeshrink.errors import UnsupportedModel


def test_a_half_precision_base_stays_one(demo_model: Path, tmp_path: Path) -> None:
    base = inspect_folder(demo_model, "demo")
    adapter = read_adapter(write_random_adapter(tmp_path / "skill", demo_model, targets=("k_proj", "down_proj")))

    merge(base, adapter, tmp_path / "merged")

    after = {tensor.name: tensor for tensor in inspect_folder(tmp_path / "merged", "merged").tensors}
    updates = {update.weight: update for update in adapter.updates}
    assert len(updates) == 10
    for tensor in base.tensors:
        assert after[tensor.name].dtype == tensor.dtype == "BF16"
        found, before = read_rows(after[tensor.name]), read_rows(tensor)
        if tensor.name not in updates:
            assert np.array_equal(found, before)
            continue
        update = updates[tensor.name]
        expected = before + 2.0 * (read_rows(update.b).astype(np.float64) @ read_rows(update.a))
        assert np.all(np.abs(found - expected) <= 2**-8 * np.abs(expected) + 1e-6)
        assert np.abs(found - before).max() > 0.1
    assert (tmp_path / "merged" / "tokenizer.json").is_file()


def test_a_gguf_takes_no_merge(demo_model: Path, tmp_path: Path) -> None:
    base = inspect_folder(demo_model, "demo")
    adapter = read_adapter(write_random_adapter(tmp_path / "skill", demo_model, targets=("k_proj",)))

    with pytest.raises(UnsupportedModel, match="is a GGUF"):
        merge(replace(base, source=replace(base.source, kind="gguf")), adapter, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
