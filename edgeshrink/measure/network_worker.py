"""What runs inside the measuring child of a network: two jobs, each in a fresh process of its own."""

from __future__ import annotations

import gc
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgeshrink.catalog.samples import Sample
from edgeshrink.measure.cpu_use import CpuUse, IdleGuard, TurnedBusy
from edgeshrink.measure.files import artifact_files
from edgeshrink.measure.latency import LEAST_REPETITIONS
from edgeshrink.measure.loading import Emit, time_loads
from edgeshrink.measure.memory import Recorder, forget_peak
from edgeshrink.measure.network_inputs import draw_samples, read_inputs
from edgeshrink.measure.power.here import PowerHere
from edgeshrink.measure.statistics import SAMPLES_NEEDED
from edgeshrink.runtimes.interface import Arrays, NetworkSession
from edgeshrink.runtimes.network_session import run_in_order
from edgeshrink.runtimes.registry import runtime

RUNS_S = 20.0
"""Time for the runs of one set of shapes; a network so slow that p99 lacks samples then has none."""
_LOOK_EVERY_S = 0.25


def draw(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Write a sample file with random inputs to `samples`, where nobody gave any."""
    with _open(Path(parameters["path"]), parameters) as session:
        draw_samples(session, Path(parameters["samples"]))
    return {}


def load_times(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Milliseconds from path to the first result, on the smallest sample; the libraries are not what is timed."""
    path = Path(parameters["path"])
    runtime(parameters["runtime"]).preload(network=True)
    inputs = read_inputs(Path(parameters["samples"]), parameters["indices"][0])

    def use_once() -> None:
        with _open(path, parameters) as session:
            _first_run(session, inputs)

    return time_loads(artifact_files(path), use_once, emit)


def _open(path: Path, parameters: dict[str, Any]) -> NetworkSession:
    threads, delegate = parameters["threads"], parameters["delegate"]
    return runtime(parameters["runtime"]).open_network(path, threads=threads, delegate=delegate)


def _first_run(session: NetworkSession, inputs: Arrays) -> Arrays:
    """Run it once; returns `inputs` with the states that a sample leaves out (zero, as at a beginning)."""
    whole, _ = next(run_in_order(session, (Sample(inputs),)))
    return whole


def session(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Load, warm up, time single runs of every sample in `indices`, watch memory.

    `idle`: threads spin while they wait. Where other programs begin to work meanwhile, `turned_busy` is the result.
    """
    try:
        with PowerHere(parameters["power_sources"]).sampling() as power:
            return _session(parameters, power, emit)
    except TurnedBusy:
        return {"turned_busy": True}
    finally:
        gc.enable()


def _session(parameters: dict[str, Any], power: PowerHere, emit: Emit) -> dict[str, object]:
    runtime(parameters["runtime"]).preload(network=True)
    samples = [read_inputs(Path(parameters["samples"]), index) for index in parameters["indices"]]
    gc.collect()
    gc.disable()  # a collection inside a timed run would be charged to the network
    forget_peak()
    recorder = Recorder()
    power.rest()
    use = CpuUse()
    recorder.enter("load")
    emit({"event": "phase", "phase": "load"})
    with recorder.watching():
        opened = _open(Path(parameters["path"]), parameters)
    with opened:
        recorder.enter("run")
        emit({"event": "phase", "phase": "run"})
        recorder.guard = IdleGuard() if parameters["idle"] else None
        runs = [
            time_runs(opened, _first_run(opened, inputs), parameters["repetitions"], recorder, power, emit)
            for inputs in samples
        ]
        recorder.guard = None
        recorder.enter("end")
        facts = opened.facts()
        recorder.sample()
    return {
        "turned_busy": False,
        "runtime": asdict(facts),
        "runs": runs,
        "power": power.as_json(),
        "others": use.others_since(),
        "memory": recorder.as_json(),
    }


def time_runs(
    session: NetworkSession, inputs: Arrays, repetitions: int, recorder: Recorder, power: PowerHere, emit: Emit
) -> list[float]:
    """Milliseconds of each run after one that is not counted; `power` stands around the counted ones.

    At least `repetitions` (and LEAST_REPETITIONS) runs; then those that p99 lacks, as long as RUNS_S lasts.
    """
    session.run(inputs)
    least, times = max(LEAST_REPETITIONS, repetitions), list[float]()
    most = max(least, SAMPLES_NEEDED[99])
    recorder.sample()
    power.begin()
    looked = time.perf_counter()
    reported = 0
    while len(times) < least or (len(times) < most and sum(times) < 1e3 * RUNS_S):
        began = time.perf_counter()
        session.run(inputs)
        ended = time.perf_counter()
        times.append(1e3 * (ended - began))
        power.look()
        if ended - looked > _LOOK_EVERY_S:
            recorder.sample()
            emit({"event": "inference", "runs": len(times) - reported})
            reported, looked = len(times), time.perf_counter()
    power.end(len(times))
    recorder.sample()
    emit({"event": "inference", "runs": max(most, len(times)) - reported})
    return times
