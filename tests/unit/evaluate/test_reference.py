"""The stored reference is what the unquantized model says, and a damaged one is not believed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from built_gguf import Builder

from edgeshrink.catalog.texts import Text
from edgeshrink.core.events import Progress
from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.evaluate.reference import Reference, read_reference, reference_fits, write_reference
from edgeshrink.evaluate.source_forward import source_logits

GIB = 1 << 30


def test_it_holds_the_sources_logits_at_every_scored_position(built: Builder, reference: Reference) -> None:
    facts, windows = built("F32").facts, reference.windows
    stored = reference.logits()
    assert stored.shape == (windows.scored, 512)
    for index, ids in enumerate(windows.ids[:2]):
        expected = source_logits(facts, ids)[windows.first : windows.size - 1]
        start = index * windows.scored_each
        assert np.abs(stored[start : start + windows.scored_each] - expected).max() < 1e-3


def test_it_holds_the_opening_of_the_first_window(built: Builder, reference: Reference) -> None:
    expected = source_logits(built("F32").facts, reference.windows.ids[0][:64])
    assert np.abs(reference.opening() - expected).max() < 1e-3


def test_it_says_what_it_is(reference: Reference, story_text: Text) -> None:
    assert (reference.name, reference.weights) == ("F32 GGUF", "F32")
    assert (reference.text_name, reference.text_sha256) == (story_text.name, story_text.sha256)
    assert read_reference(reference.folder) == reference


def test_progress_is_told_in_tokens(built: Builder, story_text: Text, tmp_path: Path) -> None:
    seen: list[Progress] = []
    stored = write_reference(
        built("F32").path, story_text, tmp_path, name="x", context=512, threads=1, listener=seen.append
    )
    assert seen[-1] == Progress("reference", stored.windows.tokens, stored.windows.tokens, "tokens")


@pytest.mark.parametrize("damage", ["index", "short", "gone", "shape"])
def test_a_damaged_one_is_refused(reference: Reference, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(reference.folder, folder)
    if damage == "index":
        (folder / "reference.json").write_text("{", encoding="utf-8")
    elif damage == "short":
        (folder / "logits.npy").write_bytes((folder / "logits.npy").read_bytes()[:-100])
    elif damage == "gone":
        (folder / "logits.npy").unlink()
    else:
        content = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
        content["vocab_size"] = 511
        (folder / "reference.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match=r"not a stored reference|expected float32"):
        read_reference(folder)


def test_a_file_that_the_runtime_refuses_is_an_error_and_leaves_no_index(story_text: Text, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.gguf"
    garbage.write_bytes(b"GGUF" + (3).to_bytes(4, "little") + bytes(16))
    with pytest.raises(RuntimeFailed, match=r"garbage\.gguf"):
        write_reference(garbage, story_text, tmp_path, name="x", context=64, threads=1)
    assert not (tmp_path / "reference.json").exists()


@pytest.mark.parametrize(("file", "free", "fits"), [(2 * GIB, 8 * GIB, True), (7 * GIB, 8 * GIB, False)])
def test_a_reference_that_memory_does_not_hold_is_not_run(file: int, free: int, fits: bool) -> None:
    reason = reference_fits(file, GIB // 4, free)
    assert (reason is None) == fits
    if reason is not None:
        assert "needs 7.8 GiB to run, and 6.8 GiB" in reason
