"""Samples are never more than the memory should hold, and a stored file of them is read one at a time."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgeshrink.catalog.sample_gathering import LIMIT_BYTES, gather
from edgeshrink.catalog.sample_random import random_samples
from edgeshrink.catalog.sample_reading import read_samples
from edgeshrink.catalog.samples import Sample, Samples, StoredSamples, load_samples, save_samples
from edgeshrink.core.network import NetworkFacts, NetworkSource, Port
from edgeshrink.errors import DataError

INPUT = Port("x", "float32", (1, 256))  # 1 KiB
SOURCE = NetworkSource("function", "nets:make", Path("nets.py"), "nets:make")
FACTS = NetworkFacts(SOURCE, "net", "module", (INPUT,), (Port("y", "float32", (1, 2)),), 1, 1, "F32")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIMIT_BYTES, "calibration", 3 << 10)
    monkeypatch.setitem(LIMIT_BYTES, "evaluation", 5 << 10)


@pytest.mark.usefixtures("small")
def test_random_samples_stop_at_the_limit_and_say_so() -> None:
    ticks: list[None] = []
    first, second = random_samples(
        FACTS, calibration=3, evaluation=900, seed=0, examples={}, tick=lambda: ticks.append(None)
    )
    assert (len(first.items), len(second.items), len(ticks)) == (3, 5, 8)
    assert first.origin == "3 random inputs, not real ones"
    assert second.origin.startswith("5 random inputs") and "900 would be more than" in second.origin


@pytest.mark.usefixtures("small")
def test_arrays_of_a_folder_stop_at_the_limit(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", x=np.arange(40 * 256, dtype=np.float32).reshape(40, 1, 256))
    first, second = read_samples(tmp_path, FACTS, calibration_count=20, evaluation_count=20)
    assert (len(first.items), len(second.items)) == (3, 5)
    assert "20 would be more than" in first.origin and "20 would be more than" in second.origin
    own, other = ({float(sample.arrays["x"][0, 0]) for sample in part.items} for part in (first, second))
    assert len(own | other) == 8


def test_one_sample_is_taken_however_large_it_is_and_no_more_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIMIT_BYTES, "evaluation", 1)
    made = (Sample({"x": np.zeros(100)}) for _ in range(9))
    assert len(gather("evaluation", made, 9, "of mine").items) == 1
    assert len(list(made)) == 7


def test_a_stored_file_is_read_as_far_as_it_is_asked(tmp_path: Path) -> None:
    items = tuple(Sample({"x": np.full(64, place, np.float32)}, place, place == 0) for place in range(4))
    save_samples(tmp_path / "s.npz", Samples(items, "four of mine", ("a", "b")))
    damaged = bytearray((tmp_path / "s.npz").read_bytes())
    with zipfile.ZipFile(tmp_path / "s.npz") as archive:
        damaged[archive.getinfo("00003/x.npy").header_offset + 300] ^= 1
    (tmp_path / "s.npz").write_bytes(damaged)
    with StoredSamples(tmp_path / "s.npz", names=["x"]) as stored:
        assert (len(stored), stored.labels, stored.begins) == (4, (0, 1, 2, 3), (True, False, False, False))
        assert [float(sample.arrays["x"][0]) for sample in stored[:3]] == [0.0, 1.0, 2.0]
        assert stored[1].label == 1 and not stored[1].begins
        with pytest.raises(DataError, match=r"s\.npz is not a file of samples"):
            stored[3]
        with pytest.raises(IndexError):
            stored[4]
    with pytest.raises(DataError, match="not a file of samples"):
        load_samples(tmp_path / "s.npz", names=["x"])


@pytest.mark.parametrize("content", [b"", b"no", b"plain"])
def test_what_is_no_file_of_samples_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.npz").write_bytes(content)
    if content == b"plain":
        with (tmp_path / "s.npz").open("wb") as file:
            np.save(file, np.zeros(3))
    with pytest.raises(DataError, match=r"s\.npz is not a file of samples"):
        StoredSamples(tmp_path / "s.npz", names=["x"])
