"""Timing single runs, on a network whose time the test controls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeshrink.measure import network_worker
from edgeshrink.measure.memory import Recorder

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
    times, joules = network_worker.time_runs(network, INPUTS, asked, Recorder(), None, events.append)
    assert times == pytest.approx([1e3 * run_s] * runs), "the first run is not counted"
    assert joules is None
    assert sum(event["runs"] for event in events) == max(asked, 100), "progress reaches its total"


def test_the_meter_stands_around_the_counted_runs(clock: Clock) -> None:
    class Joules:
        scope = "two watts"

        def available(self) -> str | None:
            return None

        def start(self) -> None:
            self.began = clock.now

        def stop(self) -> float:
            return 2 * (clock.now - self.began)

    network: Any = SlowNetwork(clock, 9.0, 0.01)
    times, joules = network_worker.time_runs(network, INPUTS, 5, Recorder(), Joules(), lambda _: None)
    assert joules == pytest.approx(2 * 0.01 * len(times))


@pytest.mark.parametrize("moment", ["start", "stop"])
def test_a_meter_that_fails_costs_the_energy_not_the_session(clock: Clock, moment: str) -> None:
    class Broken:
        scope = "nothing"

        def available(self) -> str | None:
            return None

        def start(self) -> None:
            if moment == "start":
                raise OSError("gone")

        def stop(self) -> float:
            raise OSError("gone")

    network: Any = SlowNetwork(clock, 0.01, 0.01)
    times, joules = network_worker.time_runs(network, INPUTS, 5, Recorder(), Broken(), lambda _: None)
    assert (len(times), joules) == (100, None)


def test_looking_at_memory_costs_no_run_anything(clock: Clock) -> None:
    class CostlyRecorder(Recorder):
        def sample(self) -> None:
            clock.now += 5.0

    network: Any = SlowNetwork(clock, 0.2, 0.2)
    times, _ = network_worker.time_runs(network, INPUTS, 5, CostlyRecorder(), None, lambda _: None)
    assert times == pytest.approx([200.0] * 100)
