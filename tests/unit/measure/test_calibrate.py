from __future__ import annotations

from pathlib import Path

import pytest

from edgeshrink.errors import NoSpace
from edgeshrink.measure import calibration_job
from edgeshrink.measure.calibrate import calibrate
from edgeshrink.measure.calibration_job import solve
from edgeshrink.measure.synthetic import Shape


def step_s(weight_bytes: int, overhead_s: float, speed: float) -> float:
    return overhead_s + weight_bytes / speed


def test_overhead_and_both_speeds_are_solved_for() -> None:
    sizes = (3_000_000, 9_000_000, 137_000_000)
    times = [step_s(n, 4e-4, speed) for n, speed in zip(sizes, (36e9, 36e9, 14e9), strict=True)]
    overhead, cache, dram = solve(sizes[0], times[0], sizes[1], times[1], sizes[2], times[2])
    assert overhead == pytest.approx(4e-4, rel=0.01)
    assert cache == pytest.approx(36e9, rel=0.01)
    assert dram == pytest.approx(14e9, rel=0.01)


def test_noise_gives_cautious_speeds_never_nonsense() -> None:
    overhead, cache, dram = solve(3_000_000, 5e-4, 9_000_000, 4e-4, 137_000_000, 0.01)
    assert 0 <= overhead <= 5e-4
    assert cache >= dram > 0


def test_the_models_have_one_depth_and_the_sizes_asked_for() -> None:
    tiny = Shape(layers=16, width=256, ffn=256, vocab=512, type="Q4_K")
    wide = calibration_job._wider(tiny, 8_388_608)
    assert wide.layers == tiny.layers
    assert wide.weight_bytes == pytest.approx(8_388_608, rel=0.15)
    assert calibration_job._wider(tiny, 1000) == tiny


def test_it_measures_every_speed_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process and on smaller work than the real thing, so that it takes no ten seconds."""
    monkeypatch.setattr(calibration_job, "_DRAM_BYTES", (20_000_000, 20_000_000))
    monkeypatch.setattr(calibration_job, "_DECODE_STEPS", 10)
    monkeypatch.setattr(calibration_job, "_PREFILL_S", 0.01)
    monkeypatch.setattr(calibration_job, "_DISK_BYTES", 8 << 20)
    monkeypatch.setattr(calibration_job, "_QUANTIZE_SHAPE", (64, 256))
    monkeypatch.setattr(
        "edgeshrink.measure.calibrate.run_job",
        lambda job, parameters, on_event, spin: calibration_job.run({**parameters, "threads": 1}, on_event),
    )
    seen = []
    found = calibrate(seen.append, scratch=tmp_path / "scratch")
    assert found.host_id
    assert found.overhead_layers == calibration_job.LAYERS
    for speed in ("dram_read_bytes_s", "cache_read_bytes_s", "disk_write_bytes_s"):
        assert 1e6 < getattr(found, speed) < 1e13, speed
    assert 1e6 < found.prefill_flop_s < 1e15
    assert 1e4 < found.quantize_weights_s < 1e11
    assert 0 <= found.decode_overhead_s < 1
    assert 0 <= found.others_cpu_share <= 1
    assert [step.done for step in seen] == [0, 1, 2, 3, 4, 5]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr("edgeshrink.measure.calibrate.shutil.disk_usage", lambda _: Usage)
    with pytest.raises(NoSpace, match=r"0\.8 GB"):
        calibrate(lambda _: None, scratch=tmp_path)
