"""The loops, on a session whose time the test controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from edgeshrink.measure import latency
from edgeshrink.measure.memory import Recorder
from edgeshrink.measure.power.here import PowerHere


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class SlowSession:
    """Prefill takes `prefill_s` a token and decode `decode_s`, of the clock's time."""

    def __init__(self, clock: Clock, prefill_s: float, decode_s: float) -> None:
        self.clock, self.prefill_s, self.decode_s = clock, prefill_s, decode_s
        self.context, self.position = 512, 0
        self.prompts: list[int] = []

    def reset(self) -> None:
        self.position = 0

    def prefill(self, ids: Sequence[int]) -> np.ndarray:
        assert self.position == 0, "TTFT is measured from an empty context"
        self.clock.now += self.prefill_s * len(ids)
        self.position += len(ids)
        self.prompts.append(len(ids))
        return np.array([0.0, 1.0], np.float32)

    def decode(self, token: int) -> np.ndarray:
        assert token == 1, "the most probable id goes in"
        self.clock.now += self.decode_s
        self.position += 1
        return np.array([0.0, 1.0], np.float32)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(latency, "time", clock)
    return clock


def test_a_fast_prefill_gets_the_samples_that_p95_needs(clock: Clock) -> None:
    session: Any = SlowSession(clock, 0.001, 0.01)
    found = latency.time_prefill(session, [1] * 300, [256, 64], 5, Recorder(), lambda _: None)
    assert {length: len(times) for length, times in found.items()} == {256: 20, 64: 20}
    assert found[256] == pytest.approx([256.0] * 20)
    assert found[64] == pytest.approx([64.0] * 20)


def test_a_slow_prefill_keeps_to_its_repetitions_and_the_first_length_tops_up_first(clock: Clock) -> None:
    session: Any = SlowSession(clock, 0.01, 0.01)
    found = latency.time_prefill(session, [1] * 300, [64, 256], 5, Recorder(), lambda _: None)
    assert len(found[64]) == 20
    assert len(found[256]) == 5
    assert clock.now < 10 * (0.64 + 2.56) + latency.TOP_UP_S
    crawling: Any = SlowSession(clock, 1.0, 0.01)
    found = latency.time_prefill(crawling, [1] * 300, [256], 3, Recorder(), lambda _: None)
    assert len(found[256]) == latency.LEAST_REPETITIONS


class CostlyPower:
    """Notes when it was called; looking takes 3 s of the clock's time."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.began: list[float] = []
        self.ended: list[tuple[float, int]] = []

    def begin(self) -> None:
        self.began.append(self.clock.now)

    def look(self) -> None:
        self.clock.now += 3.0

    def end(self, done: int) -> None:
        self.ended.append((self.clock.now, done))


def test_decode_times_every_step_and_power_stands_around_them_alone(clock: Clock) -> None:
    session: Any = SlowSession(clock, 0.001, 0.02)
    events: list[dict[str, object]] = []
    power: Any = CostlyPower(clock)
    runs = latency.time_decode(session, [1] * 100, 128, 5, Recorder(), power, events.append)
    assert len(runs) == len(events) == 5
    assert session.prompts == [100] * 5
    for run, began, (ended, done) in zip(runs, power.began, power.ended, strict=True):
        assert run == pytest.approx([20.0] * 128), "looking at power costs no step anything"
        assert done == 128
        assert ended - began == pytest.approx(128 * (0.02 + 3.0)), "the prompt is not in it"


def test_looking_at_memory_costs_no_step_anything(clock: Clock) -> None:
    class CostlyRecorder(Recorder):
        def sample(self) -> None:
            clock.now += 5.0

    session: Any = SlowSession(clock, 0.001, 0.2)
    runs = latency.time_decode(session, [1], 20, 1, CostlyRecorder(), PowerHere(()), lambda _: None)
    assert runs[0] == pytest.approx([200.0] * 20)
    found = latency.time_prefill(session, [1] * 10, [10], 5, CostlyRecorder(), lambda _: None)
    assert found[10] == pytest.approx([10.0] * 20)


@pytest.mark.parametrize(
    ("step_ms", "asked", "tokens"),
    [(1.0, 128, 128), (60.0, 128, 100), (2000.0, 128, 20), (0.0, 128, 128), (2000.0, 10, 10)],
)
def test_a_slow_model_decodes_fewer_tokens_but_enough_for_p99(step_ms: float, asked: int, tokens: int) -> None:
    assert latency.decode_tokens_within(30.0, step_ms, asked, 5) == tokens


def test_warm_up_tells_the_time_of_a_step(clock: Clock) -> None:
    session: Any = SlowSession(clock, 0.5, 0.25)
    assert latency.warm_up(session, [1] * 32) == pytest.approx(250.0)
