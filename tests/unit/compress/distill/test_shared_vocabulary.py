"""Whether two models speak of the same tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_models import write_tiny_model

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.distill.vocabularies import shared_vocabulary
from edgeshrink.core.model import ModelFacts
from edgeshrink.errors import DataError


def facts(folder: Path, **config: Any) -> ModelFacts:
    """The folder's, with other values in its configuration, weights left out."""
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **config}))
    return inspect_folder(folder, str(folder), weights=False)


@pytest.fixture
def student(demo_model: Path, tmp_path: Path) -> ModelFacts:
    return facts(write_tiny_model(tmp_path / "student", demo_model))


def test_models_with_one_tokenizer_share_all_of_it(student: ModelFacts, demo_model: Path) -> None:
    assert shared_vocabulary(inspect_folder(demo_model, "demo"), student) == 4096


def test_rows_that_no_text_reaches_do_not_count(student: ModelFacts, demo_model: Path, tmp_path: Path) -> None:
    padded = facts(write_tiny_model(tmp_path / "padded", demo_model), vocab_size=4160)
    assert shared_vocabulary(padded, student) == shared_vocabulary(student, padded) == 4096


def change(folder: Path, edit: Any) -> ModelFacts:
    file = folder / "tokenizer.json"
    tokenizer = json.loads(file.read_text(encoding="utf-8"))
    edit(tokenizer)
    file.write_text(json.dumps(tokenizer), encoding="utf-8")
    return facts(folder)


def swap(tokenizer: dict[str, Any]) -> None:
    vocabulary = tokenizer["model"]["vocab"]
    names = {number: name for name, number in vocabulary.items()}
    vocabulary[names[600]], vocabulary[names[601]] = 601, 600


def reorder(tokenizer: dict[str, Any]) -> None:
    merges = tokenizer["model"]["merges"]
    merges[10], merges[11] = merges[11], merges[10]


def test_tokens_that_changed_places_are_told(student: ModelFacts, demo_model: Path, tmp_path: Path) -> None:
    other = change(write_tiny_model(tmp_path / "other", demo_model), swap)
    with pytest.raises(DataError, match=r"token 600 is '.*' in the student and '.*' in the teacher") as refusal:
        shared_vocabulary(other, student)
    assert "--objective sequence" in refusal.value.hint


def test_other_merges_are_another_vocabulary(student: ModelFacts, demo_model: Path, tmp_path: Path) -> None:
    other = change(write_tiny_model(tmp_path / "other", demo_model), reorder)
    with pytest.raises(DataError, match="cut texts by other rules"):
        shared_vocabulary(other, student)


def test_real_tokens_beyond_the_other_model_are_told(student: ModelFacts, demo_model: Path, tmp_path: Path) -> None:
    def add(tokenizer: dict[str, Any]) -> None:
        tokenizer["added_tokens"].append(
            {"id": 4096, "content": "<|more|>", "special": True, "single_word": False, "lstrip": False}
            | {"rstrip": False, "normalized": False}
        )

    folder = write_tiny_model(tmp_path / "other", demo_model)
    facts(folder, vocab_size=4097)
    with pytest.raises(DataError, match="only the teacher has 1 of its tokens, from 4096 on"):
        shared_vocabulary(change(folder, add), student)
