"""edgeshrink-experts.json is read back as it was written, and refused where it is not of this model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_models import write_tiny_model

from edgeshrink.catalog.expert_usage import read_usage, usage_text
from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.core.expert_usage import USAGE_FILE, ExpertUsage, LayerUsage
from edgeshrink.errors import DataError

USAGE = ExpertUsage(2, 100, "ab", tuple(LayerUsage((0.25, 0.75, *(0.0,) * 6), 0.625) for _ in range(2)))


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / USAGE_FILE).write_text(usage_text(USAGE), encoding="utf-8")
    assert read_usage(tmp_path, layers=2, experts=8) == USAGE
    told = json.loads(usage_text(USAGE))
    assert told["layers"][0]["entropy"] == pytest.approx(0.2704, abs=1e-4)


def test_a_mixture_that_has_one_brings_it_along(demo_model: Path, tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "mixtral", demo_model, "mixtral")
    assert inspect_folder(folder, "x").expert_usage is None
    (folder / USAGE_FILE).write_text(usage_text(USAGE), encoding="utf-8")
    assert inspect_folder(folder, "x").expert_usage == USAGE


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("edgeshrink-experts-1", "edgeshrink-experts-9", "schema"),
        ("0.75", "7.5", "no number from 0 to 1"),
        ("0.75", "NaN", "no number from 0 to 1"),
        ('"used"', '"useful"', "not one of edgeshrink's"),
        ("0.625", '"sharp"', "not one of edgeshrink's"),
    ],
)
def test_what_is_damaged_is_refused(old: str, new: str, words: str, tmp_path: Path) -> None:
    (tmp_path / USAGE_FILE).write_text(usage_text(USAGE).replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=words):
        read_usage(tmp_path, layers=2, experts=8)


def test_that_of_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / USAGE_FILE).write_text(usage_text(USAGE), encoding="utf-8")
    with pytest.raises(DataError, match="2 layers of 4 experts"):
        read_usage(tmp_path, layers=2, experts=4)
