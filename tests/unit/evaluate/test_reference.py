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
from edgeshrink.evaluate.compact import probabilities
from edgeshrink.evaluate.reference import Reference, read_reference, reference_fits, weight_type, write_reference
from edgeshrink.evaluate.source_forward import source_logits

GIB = 1 << 30


def test_it_holds_the_sources_distribution_at_every_scored_position(built: Builder, reference: Reference) -> None:
    facts, windows = built("F32").facts, reference.windows
    rows = reference.rows()
    assert rows.shape == (windows.scored,)
    for index, ids in enumerate(windows.ids[:2]):
        expected = source_logits(facts, ids)[windows.first : windows.size - 1]
        stored = rows[index * windows.scored_each : (index + 1) * windows.scored_each]
        top = stored["top"].astype(np.int64)
        assert np.array_equal(top[:, 0], expected.argmax(axis=1))
        assert np.abs(stored["logits"] - np.take_along_axis(expected, top, axis=1)).max() < 1e-3
        wanted = np.exp(expected - expected.max(axis=1, keepdims=True))
        wanted /= wanted.sum(axis=1, keepdims=True)
        assert np.abs(probabilities(stored, 512) - wanted).sum(axis=1).max() < 0.02


def test_it_holds_the_opening_of_the_first_window(built: Builder, reference: Reference) -> None:
    expected = source_logits(built("F32").facts, reference.windows.ids[0][:64])
    assert np.abs(reference.opening() - expected).max() < 1e-3


def test_it_says_what_it_is(reference: Reference, story_text: Text) -> None:
    assert (reference.name, reference.weights) == ("F32 GGUF", "F32")
    (text,) = reference.texts
    assert (text.name, text.sha256) == (story_text.name, story_text.sha256)
    assert reference.row_bytes == (reference.folder / "rows.bin").stat().st_size / reference.scored
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
        (folder / "rows.bin").write_bytes((folder / "rows.bin").read_bytes()[:-100])
    elif damage == "gone":
        (folder / "rows.bin").unlink()
    else:
        content = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
        content["vocab_size"] = 509
        (folder / "reference.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match=r"not a stored reference|bytes, expected"):
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


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [(["F32"], "F32"), (["F32", "F16"], "F16"), (["F16", "BF16"], "BF16"), (["F32", "Q8_0"], "mixed"), ([], "mixed")],
)
def test_a_file_is_as_coarse_as_the_coarsest_of_its_unquantized_matrices(kinds: list[str], expected: str) -> None:
    assert weight_type([((4, 4), kind) for kind in kinds] + [((4,), "F32")]) == expected
