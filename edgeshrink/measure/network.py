"""One measuring session of a network: single runs on real samples, in fresh child processes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edgeshrink.core.events import Listener, silent
from edgeshrink.core.measurement import InferencePoint, Measurements
from edgeshrink.core.reading import Reading, Unmeasured
from edgeshrink.devices.cpu import default_threads
from edgeshrink.devices.local import host_facts
from edgeshrink.measure.files import artifact_bytes
from edgeshrink.measure.latency import LEAST_REPETITIONS
from edgeshrink.measure.memory_readings import memory_readings
from edgeshrink.measure.network_inputs import RANDOM_NOTE, Chosen, choose_samples
from edgeshrink.measure.observing import Watcher, observe
from edgeshrink.measure.power.here import from_json
from edgeshrink.measure.statistics import SAMPLES_NEEDED, percentile_reading
from edgeshrink.runtimes.child import run_job

_WORKER = "edgeshrink.measure.network_worker"
_NO_TOKENS = Unmeasured("a network generates no tokens")
_HOW = "one run, inputs at hand to outputs at hand, batch of 1"


def measure_network(
    path: Path,
    *,
    sha256: str,
    samples: Path | None,
    runtime: str,
    delegate: str,
    threads: int | None = None,
    repetitions: int = 5,
    power_sources: tuple[str, ...] = (),
    listener: Listener = silent,
) -> Measurements:
    """Measure `path` (a file or a folder) on `samples`: a .npz of arrays named "00012/pixel_values"; None: on random
    inputs, and the notes say so.

    Up to three of its sets of input shapes are timed, the smallest, the median and the largest, each on one sample
    with at least `repetitions` runs, and with the 100 that p99 needs where they fit 20 s. `threads` None: the physical
    cores. DataError where `samples` holds none; RuntimeFailed where the runtime refuses the file or an input.
    """
    nbytes = artifact_bytes(path)
    repetitions = max(LEAST_REPETITIONS, repetitions)
    with tempfile.TemporaryDirectory(prefix="edgeshrink-") as scratch:
        file = samples or Path(scratch) / "random.npz"
        parameters: dict[str, object] = {
            "path": str(path.resolve()),
            "samples": str(file.resolve()),
            "runtime": runtime,
            "delegate": delegate,
            "threads": threads or default_threads(),
            "repetitions": repetitions,
            "power_sources": list(power_sources),
        }
        if samples is None:
            run_job(f"{_WORKER}:draw", parameters)
        chosen = choose_samples(file)
        parameters["indices"] = [sample.index for sample in chosen]
        total = len(chosen) * max(repetitions, SAMPLES_NEEDED[99])
        observed = observe(_WORKER, parameters, Watcher(listener, path.name, total))
    seen = observed.seen
    cold, warm = observed.load_readings("open, one run")
    power, energy, each = from_json(seen["power"], unit="run")
    return Measurements(
        artifact_sha256=sha256,
        artifact_bytes=nbytes,
        taken_at=observed.taken_at,
        repetitions=repetitions,
        host=host_facts(),
        runtime=observed.runtime,
        before=observed.before,
        after=observed.after,
        load_cold_ms=cold,
        load_warm_ms=warm,
        prefill=(),
        decode_tok_s=_NO_TOKENS,
        inter_token_p50_ms=_NO_TOKENS,
        inter_token_p95_ms=_NO_TOKENS,
        inter_token_p99_ms=_NO_TOKENS,
        inter_token_samples_ms=(),
        memory=memory_readings(seen["memory"]),
        energy_mj_per_token=_NO_TOKENS,
        inference=tuple(
            _point(sample, times, spent)
            for sample, times, spent in zip(chosen, seen["runs"], each or [energy] * len(chosen), strict=True)
        ),
        notes=(*(() if samples else (RANDOM_NOTE,)), *observed.busy_notes()),
        power=power,
    )


def _point(sample: Chosen, times: list[float], energy: Reading) -> InferencePoint:
    p50, p95, p99 = (percentile_reading(times, percent, how=_HOW) for percent in (50, 95, 99))
    return InferencePoint(sample.shapes, p50, p95, p99, tuple(times), energy)
