"""A folder that was trained for a grid: its codes are written where exactly that file is planned, and only there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny_models import write_tiny_model

from edgeshrink.catalog.grid import BLOCKS, source_tensors
from edgeshrink.catalog.models import source_digest_files
from edgeshrink.compress.grid.grid_file import write_grid
from edgeshrink.core.events import silent
from edgeshrink.core.grid import GRID_FILE
from edgeshrink.core.plan import Plan
from edgeshrink.core.request import Request
from edgeshrink.engine.opened import OpenModel, open_model
from edgeshrink.engine.situation import find_situation, gguf_header
from edgeshrink.engine.steps.export_gguf import FILE, ExportGguf
from edgeshrink.engine.trained_codes import grid_note, rounded_tensors, trained_grid
from edgeshrink.errors import DataError
from edgeshrink.evaluate.checks.tensors import check_weights
from edgeshrink.evaluate.checks.trained_codes import check_trained_codes
from edgeshrink.ggml.quantize import dequantize, quantize_rows
from edgeshrink.planning.resolve import plan_for


def planned(folder: Path, scheme: str) -> tuple[OpenModel, Plan]:
    request = Request(model=str(folder), scheme=scheme, imatrix="none", context=64, offline=True)
    opened = open_model(request)
    return opened, plan_for(find_situation(request, opened, None, pre="default"), scheme)


@pytest.fixture
def trained(tmp_path: Path, demo_model: Path) -> Path:
    """A tiny model on the grid of Q4_0, with codes that no rounding of its weights would give."""
    folder = write_tiny_model(tmp_path / "model", demo_model, "llama")
    _, plan = planned(folder, "Q4_0")
    weights = load_file(folder / "model.safetensors")
    tensors = {}
    for name, tensor in rounded_tensors(plan).items():
        blocks = quantize_rows(weights[name], tensor.type, None, 1)
        # Blocks of scale 0 spell nothing but zeros, whatever their codes.
        blocks[0, :2] = 0
        weights[name] = dequantize(blocks, tensor.type, tensor.shape[-1])
        tensors[name] = (tensor.type, tensor.shape, {BLOCKS: blocks})
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    write_grid(folder, tensors, format="gguf", scheme="Q4_0", settings={})
    return folder


def export(opened: OpenModel, plan: Plan, workdir: Path) -> ExportGguf:
    step = ExportGguf(
        facts=opened.facts,
        source_sha256="ab" * 32,
        plan=plan,
        header=gguf_header(opened, scheme=plan.scheme, pre="default"),
        importance=None,
        threads=1,
        trained=trained_grid(opened.facts, plan),
    )
    workdir.mkdir()
    step.call(workdir, silent)
    step.ensures(workdir)
    return step


def test_exactly_the_codes_are_written_where_that_file_is_planned(trained: Path, tmp_path: Path) -> None:
    opened, plan = planned(trained, "Q4_0")
    grid = trained_grid(opened.facts, plan)
    assert grid is not None
    assert grid_note(opened.facts, plan) == ""
    step = export(opened, plan, tmp_path / "codes")
    path, codes = tmp_path / "codes" / FILE, source_tensors(grid)
    check = check_trained_codes(path, plan.tensors, codes)
    assert (check.outcome, check.detail[:10]) == ("ok", "16 tensors")
    assert check_weights(path, plan.tensors, opened.facts).outcome == "ok"

    (trained / GRID_FILE).rename(tmp_path / "aside")
    assert trained_grid(opened.facts, plan) is None
    anew = export(opened, plan, tmp_path / "anew")
    assert check_trained_codes(tmp_path / "anew" / FILE, plan.tensors, codes).outcome == "failed"
    assert anew.key_parts() != step.key_parts()


def test_another_file_is_rounded_anew_and_a_note_says_so(trained: Path) -> None:
    opened, plan = planned(trained, "Q8_0")
    assert trained_grid(opened.facts, plan) is None
    assert grid_note(opened.facts, plan) == (
        "the weights were trained for gguf Q4_0 and are rounded anew to gguf Q8_0: the codes that were trained are not "
        "used"
    )
    plain = planned(trained, "Q4_0")[1]
    changed = replace(plain, settings=(("group", 1),))
    assert "with other tensor types or settings" in grid_note(opened.facts, changed)
    assert trained_grid(opened.facts, replace(plain, scheme="alike")) is None


def test_the_codes_are_part_of_the_source(trained: Path) -> None:
    opened, plan = planned(trained, "Q4_0")
    assert trained / GRID_FILE in source_digest_files(opened.facts)
    weights = load_file(trained / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] + np.float32(0.5)
    save_file(weights, trained / "model.safetensors", {"format": "pt"})
    with pytest.raises(DataError, match="were changed after they were trained for Q4_0"):
        trained_grid(opened.facts, plan)
