"""From a record to Measurements: every figure where it belongs, and what is missing says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import device_lines as lines
import numpy as np
import pytest
from device_lines import MIB

from edgeshrink.core.measurement import HostState, Measurements
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.measure.device.record import Record
from edgeshrink.measure.device.sampling import Sampled
from edgeshrink.measure.device.schedule import Schedule
from edgeshrink.measure.device.telling import Seen, decode_windows, measurements

NOTHING = Unmeasured("not looked at")
STATE = HostState(NOTHING, NOTHING, "schedutil", NOTHING, NOTHING)
PLAN = Schedule((64, 16), (64, 0), 25, 5, sustain_s=0.0, idle_s=0.0, window_s=0.0)
NO_POWER = Sampled("no power source: the target names none", (), ())
DRAW = np.random.default_rng(3)
STEPS = {depth: [DRAW.uniform(4, 6, 25).tolist() for _ in range(5)] for depth in (64, 0)}
TTFT = DRAW.uniform(40, 60, 20).tolist()


def whole_run() -> list[dict[str, Any]]:
    return [
        lines.hello(),
        lines.memory("start", 11.0, hwm=7 * MIB, anon=1 * MIB, file=6 * MIB),
        lines.loaded(),
        {"event": "prompt", "ids": [1, 2, 3], "origin": "tokens of shipped text"},
        *(lines.prefill(64, index, ms) for index, ms in enumerate(TTFT)),
        *(lines.prefill(16, index, 9.0) for index in range(5)),
        *(lines.decode(depth, index, run) for depth, runs in STEPS.items() for index, run in enumerate(runs)),
        {"event": "cpu", "from": 20.0, "to": 30.0, "own_s": 10.0, "all_s": 22.4, "cpus": 4},
        lines.memory("end", 50.0, hwm=20 * MIB, anon=8 * MIB, file=11 * MIB),
        lines.end(),
    ]


def tell(bench: Record, *, loads: Record | None = None, long: bool = False, **changes: Any) -> Measurements:
    facts: dict[str, Any] = {
        "device": lines.device(), "taken_at": "2026-11-21T18:00:00+00:00", "before": STATE, "after": STATE,
        "loads": loads, "bench": bench, "sampled": NO_POWER, "lines": (), "gpu": NOTHING, "parity": Measured(1.0),
        "partial": "", "notes": (),
    }  # fmt: skip
    plan = changes.pop("plan", PLAN)
    seen = Seen(**(facts | changes))
    return measurements(seen, plan, (64, 16, 900), long=long, sha256="ab", nbytes=6, context=256, threads=4)


def value(reading: object) -> float:
    assert isinstance(reading, Measured), reading
    return reading.value


def test_figures_of_a_whole_run() -> None:
    found = tell(lines.record(*whole_run()))
    assert value(found.prefill[1].ttft_p95_ms) == pytest.approx(np.percentile(TTFT, 95))
    assert found.prefill[1].prompt_tokens == 64
    assert isinstance(found.prefill[2].ttft_p50_ms, Unmeasured)
    flat = np.concatenate(STEPS[64])
    assert value(found.inter_token_p99_ms) == pytest.approx(np.percentile(flat, 99))
    assert value(found.decode_tok_s) == pytest.approx(np.median([1e3 / np.mean(run) for run in STEPS[64]]))
    assert [point.depth_tokens for point in found.decode_points] == [64, 0]
    at_zero = np.median([1e3 / np.mean(run) for run in STEPS[0]])
    assert value(found.decode_points[1].decode_tok_s) == pytest.approx(at_zero)
    assert found.runtime.cpu_features == ("neon", "dotprod") and found.runtime.build_id == "0.3.36+abc"
    assert (found.host.id, found.host.system) == ("d1", "Debian 12 6.1 aarch64")
    assert found.device == lines.device() and found.partial == "" and found.sustained is None
    assert found.power is not None and found.power.origin == "unavailable"
    assert found.energy_mj_per_token == Unmeasured("no power source: the target names none")


def test_notes_say_what_a_reader_must_know() -> None:
    notes = tell(lines.record(*whole_run()), notes=("cooled down to 40 °C in 3 s",)).notes
    assert notes == (
        "prompts are tokens of shipped text",
        "a prompt of 900 tokens does not fit a context of 256",
        "cooled down to 40 °C in 3 s",
        "other programs used 31% of the CPUs meanwhile: on an idle machine it is faster",
    )


def test_what_was_timed_otherwise_is_noted_before_what_happened() -> None:
    plan = replace(PLAN, notes=("a depth of 1024 tokens does not fit a context of 256",))
    notes = tell(lines.record(*whole_run()), plan=plan, notes=("cooled down to 40 °C in 3 s",)).notes
    assert notes.index(plan.notes[0]) == notes.index("cooled down to 40 °C in 3 s") - 1


def test_a_long_decode_knows_what_others_used_meanwhile() -> None:
    stretches = [
        {"event": "sustained", "from": float(at), "to": at + 1.0, "tokens": 100 if at < 150 else 40}
        for at in range(100, 200)
    ]
    meanwhile = {"event": "cpu", "from": 100.0, "to": 200.0, "own_s": 200.0, "all_s": 360.0, "cpus": 4}
    found = tell(lines.record(*whole_run(), *stretches, meanwhile), long=True).sustained
    assert found is not None
    assert found.throttling.startswith("slowed down: other programs used 40 % of the CPUs; speed fell by 60 % after ")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"event": "loaded"}, {"mapped": False}, "read into memory, not mapped"),
        ({"event": "prefill"}, {"majflt": 2}, "paging: 50 pages had to come from storage"),
        ({"event": "cpu"}, {"all_s": -1.0}, "does not show what other programs did"),
    ],
)
def test_what_spoils_figures_is_noted(old: dict[str, Any], new: dict[str, Any], words: str) -> None:
    said = [event | new if event["event"] == old["event"] else event for event in whole_run()]
    assert any(words in note for note in tell(lines.record(*said)).notes)


def test_busy_time_over_less_than_its_ticks_says_nothing() -> None:
    said = [event | {"to": 20.2} if event["event"] == "cpu" else event for event in whole_run()]
    assert not any("other programs" in note for note in tell(lines.record(*said)).notes)


def test_loads_cold_and_warm_or_why_not() -> None:
    cold = [{"event": "load", "cold": True, "ms": ms, "stayed": 0.0} for ms in (30.0, 50.0, 40.0)]
    warm = [{"event": "load", "cold": False, "ms": 10.0, "stayed": None}]
    found = tell(lines.record(*whole_run()), loads=lines.record(*cold, *warm))
    assert (value(found.load_cold_ms), value(found.load_warm_ms)) == (40.0, 10.0)
    note = {"event": "note", "what": "macOS has no posix_fadvise"}
    found = tell(lines.record(*whole_run()), loads=lines.record(note, *warm))
    assert found.load_cold_ms == Unmeasured("macOS has no posix_fadvise")
    assert isinstance(tell(lines.record(*whole_run())).load_cold_ms, Unmeasured)


def test_a_session_that_ended_early_keeps_what_it_has_and_marks_the_rest() -> None:
    until = next(index for index, event in enumerate(whole_run()) if event["event"] == "decode")
    found = tell(lines.record(*whole_run()[:until]), partial="the link to ssh:me@board was lost while measuring")
    assert found.partial.startswith("the link")
    assert value(found.prefill[1].ttft_p95_ms) > 0
    early = Unmeasured("the session ended early: the link to ssh:me@board was lost while measuring")
    assert found.decode_tok_s == found.inter_token_p99_ms == found.decode_points[1].decode_tok_s == early
    assert value(found.memory.peak_rss_bytes) == 7 * MIB


def test_energy_is_taken_from_repetitions_that_are_long_enough_for_the_sensor() -> None:
    plan = Schedule((64,), (64, 0), 25, 5, sustain_s=0.0, idle_s=1.0, window_s=0.1)
    record = lines.record(*whole_run())
    windows = decode_windows(record, plan)
    assert len(windows) == 5, "those at the first depth only"
    assert all(tokens == 25 and end - begin >= 0.1 for begin, end, tokens in windows)


def test_energy_of_a_fast_model_is_taken_from_decode_that_went_on() -> None:
    plan = Schedule((64,), (64, 0), 25, 5, sustain_s=8.0, idle_s=1.0, window_s=2.5)
    stretches = [{"event": "sustained", "from": float(at), "to": at + 1.0, "tokens": 100 + at} for at in range(40, 47)]
    apart = {"event": "sustained", "from": 48.0, "to": 49.0, "tokens": 50}
    found = decode_windows(lines.record(*whole_run(), *stretches, apart), plan)
    assert found == [(40.0, 43.0, 423), (43.0, 46.0, 432)], "no window spans a gap"


def test_heat_and_clock_are_those_of_the_timed_part() -> None:
    sampled = Sampled("no power", (("cpu-thermal", "/temp"),), ("/freq",), slow=True)
    samples = [
        {"event": "sample", "t": at, "v": [str(millidegrees), str(khz)]}
        for at, millidegrees, khz in ((12.0, 95000, 600000), (20.0, 61000, 1500000), (22.0, 64000, 1400000))
    ]
    found = tell(lines.record(*whole_run(), *samples), sampled=sampled).after
    assert value(found.temperature_c) == 64.0 and "cpu-thermal" in found.temperature_c.how  # type: ignore[union-attr]
    assert value(found.frequency_mhz) == 1450.0
    warm = replace(STATE, temperature_c=Measured(70.0))
    assert value(tell(lines.record(*whole_run(), *samples), sampled=sampled, after=warm).after.temperature_c) == 70.0
    assert tell(lines.record(*whole_run())).after == STATE


def test_loads_that_failed_after_measuring_say_why() -> None:
    found = tell(lines.record(*whole_run()), loads=lines.record(lines.hello()), no_loads="killed while loading")
    assert found.load_cold_ms == found.load_warm_ms == Unmeasured("killed while loading")
    assert value(found.decode_tok_s) > 0 and found.partial == ""
