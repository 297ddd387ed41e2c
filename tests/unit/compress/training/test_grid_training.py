"""Runs whose weights are rounded as their file will hold them."""

from __future__ import annotations

import filecmp
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from training_ground import Ground

from edgeshrink.catalog.grid import BLOCKS, read_grid, read_piece, read_probe, source_tensors
from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.training.order import TrainingOrder, check_order
from edgeshrink.compress.training.record import read_log
from edgeshrink.compress.training.workdir import newest_checkpoint
from edgeshrink.core.events import silent
from edgeshrink.core.grid import GRID_FILE
from edgeshrink.core.request import Request
from edgeshrink.engine.opened import open_model
from edgeshrink.engine.situation import find_situation, gguf_header
from edgeshrink.engine.steps.export_gguf import FILE, ExportGguf
from edgeshrink.engine.trained_codes import trained_grid
from edgeshrink.errors import DataError, StepFailed, UsageError
from edgeshrink.evaluate.checks.agreement import check_agreement
from edgeshrink.planning.resolve import plan_for
from edgeshrink.runtimes import llama_cpp

Train = Callable[..., None]
TYPES = {"down_proj": "Q4_1", "o_proj": "Q5_0", "embed_tokens": "Q8_0"}


def order(ground: Ground, **changes: object) -> TrainingOrder:
    """Blocks of 32, since the rows are of 64."""
    matrices = [tensor.name for tensor in inspect_folder(ground.model, "").tensors if len(tensor.shape) == 2]
    tensors = {name: TYPES.get(name.split(".")[-2], "Q4_0") for name in matrices}
    parameters = {
        "format": "gguf",
        "scheme": "Q4_0",
        "settings": {},
        "tensors": tensors,
        "importance": None,
        "gguf_names": {},
        "probe_rows": str(ground.corpus),
    }
    form = "edgeshrink.compress.grid.form:GridForm"
    return replace(ground.order(steps=8, rate=1e-3, **changes), form=form, form_parameters=parameters)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grid") / "run"


@pytest.fixture
def trained(place: Path, ground: Ground, train_here: Train) -> Path:
    """The folder of a run that nobody disturbed, trained once."""
    if not place.exists():
        train_here(order(ground), place)
    return place


def test_the_weights_are_exactly_what_the_codes_spell(trained: Path) -> None:
    """Oracle: gguf-py reads the codes."""
    grid = read_grid(trained / "model")
    assert grid is not None
    assert (grid.format, grid.scheme, grid.settings) == ("gguf", "Q4_0", ())
    weights = load_file(trained / "model" / "model.safetensors")
    blocks = source_tensors(grid)
    assert {tensor.type for tensor in grid.tensors} == {"Q4_0", "Q4_1", "Q5_0", "Q8_0"}
    for name, tensor in blocks.items():
        codes = read_piece(grid, name, BLOCKS)
        read = gguf.quants.dequantize(codes, gguf.GGMLQuantizationType[tensor.dtype])
        assert np.array_equal(read, weights[name]), name
        with tensor.file.open("rb") as file:
            file.seek(tensor.offset)
            assert file.read(tensor.nbytes) == codes.tobytes()
    assert {name for name, held in weights.items() if held.ndim == 2} == set(blocks)
    assert json.loads((trained / "model" / "config.json").read_text(encoding="utf-8"))["dtype"] == "float32"


def test_the_probe_is_what_the_folder_says(trained: Path, one_thread: None) -> None:
    """Oracle: transformers on the folder as anybody loads it."""
    import torch
    from transformers import AutoModelForCausalLM

    found = read_probe(trained / "model")
    assert found is not None
    tokens, logits = found
    assert len(tokens) >= 16
    model = AutoModelForCausalLM.from_pretrained(trained / "model", dtype=torch.float32).eval()
    with torch.no_grad():
        expected = model(torch.from_numpy(tokens).long()[None]).logits[0].numpy()
    assert np.allclose(logits, expected, atol=1e-5)


def test_llama_cpp_says_what_the_student_said(trained: Path, tmp_path: Path) -> None:
    """The file is written from the codes, and the probe was made by torch."""
    types = (("ffn_down", "Q4_1"), ("attn_output", "Q5_0"), ("token_embd", "Q8_0"))
    request = Request(model=str(trained / "model"), scheme="Q4_0", imatrix="none", tensor_types=types, offline=True)
    opened = open_model(request)
    plan = plan_for(find_situation(request, opened, None, pre="default"), "Q4_0")
    grid = trained_grid(opened.facts, plan)
    assert grid is not None
    header = gguf_header(opened, scheme="Q4_0", pre="default")
    ExportGguf(opened.facts, "ab" * 32, plan, header, None, 1, grid).call(tmp_path, silent)
    with llama_cpp.load(tmp_path / FILE, context=256, threads=1, exact=True) as session:
        check = check_agreement(session, trained / "model", "gguf")
    assert check.outcome == "ok", check.detail


def test_it_learns_and_its_codes_are_not_those_of_the_start(trained: Path, ground: Ground) -> None:
    _, looks = read_log(trained / "state" / "log.jsonl")
    assert looks[-1].cross_entropy < looks[0].cross_entropy - 0.05
    grid = read_grid(trained / "model")
    assert grid is not None
    from edgeshrink.ggml.quantize import quantize_rows

    name = "model.layers.0.mlp.up_proj.weight"
    start = quantize_rows(load_file(ground.model / "model.safetensors")[name], "Q4_0", None, 1)
    assert 0.05 < np.mean(read_piece(grid, name, BLOCKS) != start) < 0.999


def test_a_run_that_was_stopped_ends_in_the_same_codes(
    trained: Path, ground: Ground, train_here: Train, tmp_path: Path
) -> None:
    """The step sizes that are learnt stand in the checkpoint, too."""
    with pytest.raises(StepFailed, match="was stopped after step"):
        train_here(order(ground, accidents={"stop_at": 6}), tmp_path)
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    saved = [name for file in newest.glob("parameters-*.safetensors") for name in load_file(file)]
    assert any(name.endswith("dmin_change") for name in saved)
    train_here(order(ground), tmp_path)
    for name in (GRID_FILE, "model.safetensors"):
        # Not `==`: pytest would spell out how megabytes differ.
        assert filecmp.cmp(tmp_path / "model" / name, trained / "model" / name, shallow=False), name


def test_weights_that_were_changed_since_are_refused(trained: Path, tmp_path: Path) -> None:
    for file in (trained / "model").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    weights["model.norm.weight"] *= np.float32(1.01)
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(DataError, match="were changed after they were trained for Q4_0"):
        read_grid(tmp_path)
    (tmp_path / GRID_FILE).write_bytes((tmp_path / GRID_FILE).read_bytes()[:-5])
    with pytest.raises(DataError, match="is not whole"):
        read_grid(tmp_path)


def test_cut_up_weights_are_refused(ground: Ground) -> None:
    with pytest.raises(UsageError, match="blocks of weights are rounded whole"):
        check_order(order(ground, parallel="fsdp"))
