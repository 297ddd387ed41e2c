"""Readings that all sessions share, against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from edgeshrink.core.measurement import MemorySample
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.measure.assembly import decode_readings, load_readings, others_note, prefill_points, thinned

DRAW = np.random.default_rng(5)


def value(reading: object) -> float:
    assert isinstance(reading, Measured), reading
    return reading.value


def test_prefill_percentiles_are_numpys() -> None:
    times = DRAW.uniform(50, 80, 20).tolist()
    short, long = prefill_points((256, 32), {256: times, 32: [5.0, 6.0, 7.0]}, 512)
    assert (short.prompt_tokens, long.prompt_tokens) == (32, 256)
    assert value(long.ttft_p50_ms) == pytest.approx(np.percentile(times, 50))
    assert value(long.ttft_p95_ms) == pytest.approx(np.percentile(times, 95))
    assert value(long.prefill_tok_s) == pytest.approx(np.median(256e3 / np.array(times)))
    assert short.ttft_p95_ms == Unmeasured("p95 needs at least 20 samples, there are 3")


def test_a_length_without_samples_says_which_of_two_reasons_it_has() -> None:
    fits, too_long = prefill_points((32, 900), {}, 512, nothing="the link was lost")
    assert fits.ttft_p50_ms == Unmeasured("the link was lost")
    assert too_long.ttft_p50_ms == Unmeasured("a prompt of 900 tokens does not fit a context of 512")


def test_decode_speed_is_the_median_of_repetitions_and_percentiles_are_over_all_steps() -> None:
    runs = [DRAW.uniform(5, 9, 40).tolist() for _ in range(5)]
    found = decode_readings(runs, 256)
    steps = np.concatenate(runs)
    assert value(found.decode_tok_s) == pytest.approx(np.median([1e3 / np.mean(run) for run in runs]))
    for percent in (50, 95, 99):
        assert value(getattr(found, f"inter_token_p{percent}_ms")) == pytest.approx(np.percentile(steps, percent))
    assert "5 repetitions of 40 tokens" in found.decode_tok_s.how  # type: ignore[union-attr]
    assert found.point(256).depth_tokens == 256
    assert found.samples_ms == tuple(steps)


def test_no_decode_is_unmeasured_everywhere() -> None:
    found = decode_readings([], 256, nothing="gone")
    assert found.decode_tok_s == found.inter_token_p50_ms == found.inter_token_p99_ms == Unmeasured("gone")


def test_a_cold_load_is_one_whose_pages_were_gone() -> None:
    cold, warm = load_readings([30.0, 50.0, 40.0], [10.0], stayed=0.01, not_cold=None)
    assert (value(cold), value(warm)) == (40.0, 10.0)
    cold, _ = load_readings([30.0], [10.0], stayed=0.5, not_cold=None)
    assert isinstance(cold, Unmeasured) and cold.reason.startswith("50% of the file stayed")
    cold, _ = load_readings([], [10.0], stayed=None, not_cold="macOS has no posix_fadvise")
    assert cold == Unmeasured("macOS has no posix_fadvise")


def test_other_programs_are_told_from_a_tenth_of_the_cpus_on() -> None:
    assert others_note(0.09) == ()
    assert others_note(0.31)[0].startswith("other programs used 31% of the CPUs meanwhile")


def test_a_thinned_timeline_keeps_its_last_sample() -> None:
    samples = [MemorySample(float(at), "decode", at, at) for at in range(1001)]
    kept = thinned(samples)
    assert len(kept) <= 401 and kept[0] == samples[0] and kept[-1] == samples[-1]
    assert thinned(samples[:3]) == tuple(samples[:3])
