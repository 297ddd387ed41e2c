from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file
from tiny_models import write_tiny_model

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.catalog.json_files import read_json
from edgeshrink.catalog.safetensors_headers import read_tensors
from edgeshrink.compress.training.model_folder import write_model
from edgeshrink.compress.training.workdir import (
    CHECKPOINTS,
    MODEL,
    STATE,
    finish,
    finished,
    newest_checkpoint,
    step_name,
)


def _checkpoint(workdir: Path, name: str) -> Path:
    folder = workdir / CHECKPOINTS / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(name)
    return folder


def test_the_newest_whole_checkpoint_is_gone_on_from(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) is None

    for name in (step_name(999), step_name(10_000), step_name(20_000) + ".partial", "other"):
        _checkpoint(tmp_path, name)

    assert newest_checkpoint(tmp_path) == tmp_path / CHECKPOINTS / step_name(10_000)


def test_a_folder_is_finished_once_model_and_state_have_their_names(tmp_path: Path) -> None:
    last, model = _checkpoint(tmp_path, step_name(3)), tmp_path / "aside"
    (tmp_path / MODEL).mkdir()
    (tmp_path / MODEL / "left over by a kill").write_text("")
    model.mkdir()
    assert not finished(tmp_path)

    finish(tmp_path, last, model)

    assert finished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [MODEL, STATE]
    assert (tmp_path / STATE / "run.json").read_text() == step_name(3)
    assert not list((tmp_path / MODEL).iterdir())


def _doubled(folder: Path) -> dict[str, Any]:
    return {name: 2 * value for name, value in load_file(folder / "model.safetensors").items()}


@pytest.fixture
def source(tmp_path: Path, demo_model: Path) -> Path:
    folder = write_tiny_model(tmp_path / "source", demo_model)
    (folder / "LICENSE").write_text("do as you like")
    (folder / "README.md").write_text("of another model")
    return folder


def test_a_model_keeps_files_names_and_types_but_not_the_card(source: Path, tmp_path: Path) -> None:
    out, values = tmp_path / "out", _doubled(source)

    write_model(inspect_folder(source, "source"), out, frozenset(values), values.__getitem__, writes=True)

    assert {path.name for path in source.iterdir()} - {path.name for path in out.iterdir()} == {"README.md"}
    assert read_json(out / "config.json") == read_json(source / "config.json")
    written = load_file(out / "model.safetensors")
    assert {name: value.dtype for name, value in written.items()} == {name: v.dtype for name, v in values.items()}
    assert all((written[name] == value).all() for name, value in values.items())


def test_a_worker_that_does_not_write_takes_part_in_every_tensor(source: Path, tmp_path: Path) -> None:
    asked: list[str] = []
    names = [tensor.name for tensor in read_tensors(source)]

    write_model(inspect_folder(source, "source"), tmp_path / "out", frozenset(names), asked.append, writes=False)

    assert asked == names
    assert not (tmp_path / "out").exists()


def test_what_is_no_parameter_is_left_out(source: Path, tmp_path: Path) -> None:
    values = _doubled(source)
    left = values.popitem()[0]

    write_model(inspect_folder(source, "source"), tmp_path / "out", frozenset(values), values.__getitem__, writes=True)

    assert {tensor.name for tensor in read_tensors(source)} - set(load_file(tmp_path / "out/model.safetensors")) == {
        left
    }
