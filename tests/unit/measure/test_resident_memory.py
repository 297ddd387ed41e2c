from __future__ import annotations

import mmap
import sys
from pathlib import Path

import psutil
import pytest

from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.measure.memory import Recorder, forget_peak, proportional, resident
from edgeshrink.measure.memory_readings import memory_readings

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux splits resident memory")


def test_the_total_is_the_resident_set() -> None:
    mine, theirs = resident().total, psutil.Process().memory_info().rss
    assert mine == pytest.approx(theirs, rel=0.05)


@linux
def test_the_split_adds_up_and_stays_under_the_peak() -> None:
    now = resident()
    assert now.anon is not None
    assert now.file is not None
    assert now.peak is not None
    assert now.anon + now.file == now.total
    assert now.total <= now.peak * 1.02
    share = proportional()
    assert share is not None
    assert 0 < share <= now.total * 1.05


@linux
def test_new_memory_shows_as_anonymous_and_mapped_files_as_file_backed(tmp_path: Path) -> None:
    size = 24 << 20
    before = resident()
    block = mmap.mmap(-1, size)  # fresh pages: a long-lived interpreter may have freed as much before
    block.write(b"x" * size)
    held = resident()
    assert before.anon is not None
    assert held.anon is not None
    assert held.anon - before.anon > 0.9 * size
    block.close()
    path = tmp_path / "mapped"
    path.write_bytes(b"x" * size)
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), size, access=mmap.ACCESS_READ) as mapped:
        before = resident()
        assert sum(mapped[at] for at in range(0, size, mmap.PAGESIZE)) > 0
        held = resident()
    assert before.file is not None
    assert held.file is not None
    assert held.file - before.file > 0.9 * size


@linux
def test_the_peak_can_start_again() -> None:
    block = mmap.mmap(-1, 64 << 20)
    block.write(b"x" * (64 << 20))
    block.close()
    before = resident()
    forget_peak()
    after = resident()
    assert before.peak is not None and after.peak is not None
    if after.peak == before.peak:
        pytest.skip("this kernel keeps its high-water mark")
    assert after.peak < before.peak - (32 << 20)


def test_a_mark_that_cannot_be_reset_is_no_error(tmp_path: Path) -> None:
    forget_peak(tmp_path / "no proc here")


def test_a_system_without_proc_gives_the_whole_and_its_peak(tmp_path: Path) -> None:
    now = resident(tmp_path / "no proc here")
    assert (now.anon, now.file) == (None, None)
    assert now.peak is not None
    assert 0 < now.total <= now.peak * 1.05
    assert proportional(tmp_path / "no proc here") is None


def test_the_recorder_keeps_phases_apart() -> None:
    recorder = Recorder()
    recorder.enter("load")
    with recorder.watching(every_s=0.001):
        block = bytearray(b"x" * (8 << 20))
    recorder.sample()
    recorder.enter("end")
    del block
    phases = [row[1] for row in recorder.as_json()["rows"]]  # type: ignore[index,attr-defined]
    assert phases[0] == "start"
    assert set(phases[1:]) == {"load"}


def test_readings_take_the_highest_of_marks_and_samples() -> None:
    rows = [[0.0, "start", 30, 10, 20, 35], [0.1, "load", 70, 30, 40, 90], [0.2, "decode", 80, 45, 35, 90]]
    memory = memory_readings({"rows": rows, "peak_pss": 60})
    values = {name: getattr(memory, f"peak_{name}_bytes") for name in ("rss", "anon", "file", "pss")}
    assert all(isinstance(reading, Measured) for reading in values.values())
    assert {name: reading.value for name, reading in values.items()} == {"rss": 90, "anon": 45, "file": 40, "pss": 60}
    assert isinstance(memory.baseline_rss_bytes, Measured) and memory.baseline_rss_bytes.value == 30
    assert [sample.phase for sample in memory.timeline] == ["start", "load", "decode"]


def test_without_a_split_its_readings_are_unmeasured_not_zero() -> None:
    memory = memory_readings({"rows": [[0.0, "start", 30, None, None, None]], "peak_pss": None})
    assert isinstance(memory.peak_rss_bytes, Measured)
    assert memory.peak_rss_bytes.value == 30
    for reading in (memory.peak_anon_bytes, memory.peak_file_bytes, memory.peak_pss_bytes):
        assert isinstance(reading, Unmeasured)
    assert memory.timeline == ()


def test_a_long_timeline_is_thinned_and_keeps_its_end() -> None:
    rows = [[n / 10, "decode", 2, 1, 1, 2] for n in range(5000)]
    timeline = memory_readings({"rows": rows, "peak_pss": None}).timeline
    assert 200 <= len(timeline) <= 401
    assert timeline[-1].at_s == pytest.approx(499.9)
