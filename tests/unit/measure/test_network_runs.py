"""Timing single runs, on a network whose time the test controls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeshrink.measure import network_worker
from edgeshrink.measure.memory import Recorder
from edgeshrink.measure.power.here import PowerHere

INPUTS = {"x": np.zeros((1, 2), np.float32)}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class SlowNetwork:
    """The first run takes `first_s`, every other one `run_s`."""

    def __init__(self, clock: Clock, first_s: float, run_s: float) -> None:
        self.clock, self.first_s, self.run_s, self.runs = clock, first_s, run_s, 0

    def run(self, inputs: Any) -> dict[str, np.ndarray]:
        self.clock.now += self.run_s if self.runs else self.first_s
        self.runs += 1
        return {"y": inputs["x"]}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(network_worker, "time", clock)
    return clock


@pytest.mark.parametrize(
    ("run_s", "asked", "runs"),
    [
        pytest.param(0.001, 5, 100, id="fast: as many as p99 needs"),
        pytest.param(0.001, 250, 250, id="as many as were asked for"),
        pytest.param(1.0, 5, 20, id="slow: as many as the time allows"),
        pytest.param(30.0, 1, 5, id="crawling: never fewer than five"),
    ],
)
def test_as_many_runs_as_percentiles_need_and_time_allows(clock: Clock, run_s: float, asked: int, runs: int) -> None:
    network: Any = SlowNetwork(clock, 50.0, run_s)
    events: list[dict[str, Any]] = []
    times = network_worker.time_runs(network, INPUTS, asked, Recorder(), PowerHere(()), events.append)
    assert times == pytest.approx([1e3 * run_s] * runs), "the first run is not counted"
    assert sum(event["runs"] for event in events) == max(asked, 100), "progress reaches its total"


def test_power_stands_around_the_counted_runs(clock: Clock) -> None:
    class Power:
        def begin(self) -> None:
            self.began = clock.now

        def look(self) -> None:
            clock.now += 3.0

        def end(self, done: int) -> None:
            self.took, self.done = clock.now - self.began, done

    network: Any = SlowNetwork(clock, 9.0, 0.01)
    power: Any = Power()
    times = network_worker.time_runs(network, INPUTS, 5, Recorder(), power, lambda _: None)
    assert times == pytest.approx([10.0] * 100), "looking at power costs no run anything"
    assert power.took == pytest.approx(100 * 3.01)
    assert power.done == 100


def test_looking_at_memory_costs_no_run_anything(clock: Clock) -> None:
    class CostlyRecorder(Recorder):
        def sample(self) -> None:
            clock.now += 5.0

    network: Any = SlowNetwork(clock, 0.2, 0.2)
    times = network_worker.time_runs(network, INPUTS, 5, CostlyRecorder(), PowerHere(()), lambda _: None)
    assert times == pytest.approx([200.0] * 100)
