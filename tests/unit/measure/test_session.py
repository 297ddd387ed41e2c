"""A whole session on a real file in real child processes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgeshrink.core.events import Progress
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.errors import RuntimeFailed
from edgeshrink.measure import observing, worker
from edgeshrink.measure.cpu_use import TurnedBusy
from edgeshrink.measure.session import measure

LLAMA_CPP: dict[str, Any] = {"sha256": "digest", "runtime": "llama_cpp", "delegate": "cpu"}


@pytest.fixture(scope="module")
def progress() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def measured(tiny_gguf: Path, progress: list[Progress]) -> Measurements:
    return measure(
        tiny_gguf,
        sha256="digest",
        runtime="llama_cpp",
        delegate="cpu",
        context=256,
        threads=1,
        gpu_layers=0,
        prompt_tokens=(64, 16, 4096),
        decode_tokens=32,
        repetitions=5,
        power_sources=("rapl",),
        listener=progress.append,
    )


def value(reading: object) -> float:
    assert isinstance(reading, Measured), reading
    assert reading.how
    return reading.value


def test_it_measured_this_file_in_this_runtime(measured: Measurements, tiny_gguf: Path) -> None:
    assert measured.artifact_bytes == tiny_gguf.stat().st_size
    assert measured.artifact_sha256 == "digest"
    assert measured.runtime.name == "llama_cpp"
    assert measured.runtime.threads == 1
    assert measured.runtime.context == 256
    assert measured.repetitions == 5
    assert measured.host.id


def test_time_to_first_token_has_twenty_samples_and_a_p95(measured: Measurements) -> None:
    second, first, long = measured.prefill
    assert (first.prompt_tokens, second.prompt_tokens) == (64, 16)
    assert len(first.ttft_samples_ms) == len(second.ttft_samples_ms) == 20
    p50, p95 = value(first.ttft_p50_ms), value(first.ttft_p95_ms)
    assert 0 < min(first.ttft_samples_ms) <= p50 <= p95 <= max(first.ttft_samples_ms)
    assert value(first.prefill_tok_s) == pytest.approx(64e3 / p50, rel=0.01)
    assert long.prompt_tokens == 4096
    assert isinstance(long.ttft_p95_ms, Unmeasured)
    assert "4096 tokens does not fit a context of 256" in long.ttft_p95_ms.reason
    assert any("4096" in note for note in measured.notes)


def test_decode_speed_and_the_latency_of_every_token(measured: Measurements) -> None:
    assert len(measured.inter_token_samples_ms) == 5 * 32
    p50, p95, p99 = (value(getattr(measured, f"inter_token_p{p}_ms")) for p in (50, 95, 99))
    assert 0 < p50 <= p95 <= p99 <= max(measured.inter_token_samples_ms)
    assert isinstance(measured.decode_tok_s, Measured)
    assert measured.decode_tok_s.n == 5
    per_run = [32e3 / sum(measured.inter_token_samples_ms[at : at + 32]) for at in range(0, 160, 32)]
    assert measured.decode_tok_s.value == pytest.approx(sorted(per_run)[2])
    assert (measured.decode_tok_s.low, measured.decode_tok_s.high) == pytest.approx((min(per_run), max(per_run)))


def test_loads_are_timed_warm_and_cold_or_say_why_not(measured: Measurements) -> None:
    assert value(measured.load_warm_ms) > 0
    if isinstance(measured.load_cold_ms, Measured):
        assert "posix_fadvise" in measured.load_cold_ms.how
    else:
        assert measured.load_cold_ms.reason


def test_memory_adds_up(measured: Measurements) -> None:
    peak = value(measured.memory.peak_rss_bytes)
    assert 5 << 20 < value(measured.memory.baseline_rss_bytes) < peak
    assert 10 << 20 < peak < psutil.virtual_memory().total
    if sys.platform != "linux":
        assert isinstance(measured.memory.peak_anon_bytes, Unmeasured)
        return
    anon, file = value(measured.memory.peak_anon_bytes), value(measured.memory.peak_file_bytes)
    assert 0.95 * peak < anon + file < 1.2 * peak, "both peak late, so their sum is close to the whole's peak"
    assert value(measured.memory.peak_pss_bytes) <= peak
    assert [s.phase for s in measured.memory.timeline] == sorted(
        (s.phase for s in measured.memory.timeline), key=["start", "load", "prefill", "decode", "end"].index
    )
    assert max(s.anon_bytes + s.file_bytes for s in measured.memory.timeline) <= peak


def test_energy_is_measured_or_says_what_was_tried(measured: Measurements) -> None:
    if isinstance(measured.energy_mj_per_token, Unmeasured):
        assert measured.energy_mj_per_token.reason.startswith("no power source: tried rapl: ")
    else:
        assert value(measured.energy_mj_per_token) > 0


def test_progress_rises_to_its_total(measured: Measurements, progress: list[Progress]) -> None:
    done = [step.done for step in progress]
    assert done == sorted(done)
    assert done[-1] == progress[-1].total > 0


def test_a_file_that_no_runtime_takes_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(RuntimeFailed, match=r"broken\.gguf"):
        measure(broken, **LLAMA_CPP, context=256, threads=1, prompt_tokens=(16,))
    with pytest.raises(RuntimeFailed, match="no such file"):
        measure(tmp_path / "missing.gguf", **LLAMA_CPP, context=256, threads=1, prompt_tokens=(16,))


def test_a_machine_that_turns_busy_is_measured_again_with_threads_that_sleep(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = observing.run_job
    asked: list[tuple[str, object, bool]] = []

    def once_busy(job: str, parameters: Mapping[str, object], **rest: Any) -> dict[str, object]:
        asked.append((job.rpartition(":")[2], parameters.get("idle"), rest["spin"]))
        if parameters.get("idle"):
            return {"turned_busy": True}
        return real(job, parameters, **rest)

    monkeypatch.setattr(observing, "run_job", once_busy)
    monkeypatch.setattr(observing, "machine_is_busy", lambda: False)
    found = measure(tiny_gguf, **LLAMA_CPP, context=256, threads=1, prompt_tokens=(16,), decode_tokens=20)
    assert asked == [("load_times", None, True), ("session", True, True), ("session", False, False)]
    assert any("the machine was busy" in note for note in found.notes)
    assert isinstance(found.decode_tok_s, Measured)


def test_a_session_on_an_idle_machine_ends_when_others_begin_to_work(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Busy:
        def __call__(self) -> None:
            raise TurnedBusy

    monkeypatch.setattr(worker, "IdleGuard", Busy)
    parameters = {
        "runtime": "llama_cpp",
        "delegate": "cpu",
        "path": str(tiny_gguf),
        "context": 256,
        "threads": 1,
        "gpu_layers": 0,
    }
    parameters |= {"lengths": [16], "decode_tokens": 20, "repetitions": 5, "power_sources": [], "idle": True}
    assert worker.session(parameters, lambda _: None) == {"turned_busy": True}
