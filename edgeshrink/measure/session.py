"""One measuring session: the file in fresh child processes, the host before and after, everything as readings."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.core.measurement import Measurements, PrefillPoint, RuntimeFacts
from edgeshrink.core.reading import Reading, Unmeasured
from edgeshrink.devices.cpu import default_threads
from edgeshrink.devices.local import host_facts, host_state
from edgeshrink.errors import RuntimeFailed
from edgeshrink.measure.cpu_use import BUSY, machine_is_busy
from edgeshrink.measure.latency import LEAST_REPETITIONS
from edgeshrink.measure.memory_readings import memory_readings
from edgeshrink.measure.statistics import SAMPLES_NEEDED, median_reading, percentile_reading
from edgeshrink.runtimes.child import run_job

_SESSION = "edgeshrink.measure.worker:session"
_COLD_ENOUGH = 0.1
"""Share of a file's pages that may stay in the page cache for a load to be called cold."""


def measure(
    path: Path,
    *,
    context: int,
    threads: int | None = None,
    gpu_layers: int = 0,
    prompt_tokens: tuple[int, ...],
    decode_tokens: int = 128,
    repetitions: int = 5,
    power_sources: tuple[str, ...] = (),
    listener: Listener = silent,
    runtime: str = "llama_cpp",
) -> Measurements:
    """Measure `path` with a KV cache of `context` tokens.

    The first of `prompt_tokens` is the one that matters (the budget's): it gets its p95 samples first, and it is what
    fills the context before decode. Lengths that do not fit are Unmeasured. At least 5 repetitions. `threads` None:
    the physical cores that this process may use. Threads spin while they wait only on an idle machine (see
    `child.run_job`); the notes say so. RuntimeFailed where the runtime refuses the file or dies.
    """
    if not path.is_file():
        raise RuntimeFailed(f"{path}: there is no such file")
    threads = threads or default_threads()
    repetitions = max(LEAST_REPETITIONS, repetitions)
    lengths = [length for length in dict.fromkeys(prompt_tokens) if 0 < length <= context]
    digest = _sha256(path)
    parameters: dict[str, object] = {
        "path": str(path.resolve()),
        "runtime": runtime,
        "context": context,
        "threads": threads,
        "gpu_layers": gpu_layers,
        "lengths": lengths,
        "decode_tokens": decode_tokens,
        "repetitions": repetitions,
        "power_sources": list(power_sources),
    }
    watch = _Watcher(listener, path.name, repetitions, lengths)
    taken_at = datetime.now(UTC).isoformat(timespec="seconds")
    before = host_state()
    spin = not machine_is_busy()
    loads = run_job("edgeshrink.measure.worker:load_times", parameters, on_event=watch, spin=spin)
    seen: Mapping[str, Any] = run_job(_SESSION, {**parameters, "idle": spin}, on_event=watch, spin=spin)
    if seen["turned_busy"]:
        spin = False
        watch.restart()
        seen = run_job(_SESSION, {**parameters, "idle": spin}, on_event=watch, spin=spin)
    after = host_state()
    watch.finish()
    facts = RuntimeFacts(**{**seen["runtime"], "cpu_features": tuple(seen["runtime"]["cpu_features"])})
    cold, warm = _load_readings(loads)
    runs: list[list[float]] = seen["decode"]
    steps = tuple(step for run in runs for step in run)
    how = f"decode step and greedy choice, after a prompt of {seen['decode_prompt_tokens']} tokens"
    return Measurements(
        artifact_sha256=digest,
        artifact_bytes=path.stat().st_size,
        taken_at=taken_at,
        repetitions=repetitions,
        host=host_facts(),
        runtime=facts,
        before=before,
        after=after,
        load_cold_ms=cold,
        load_warm_ms=warm,
        prefill=_prefill_points(prompt_tokens, dict(seen["prefill"]), context),
        decode_tok_s=median_reading(
            [1e3 * len(run) / sum(run) for run in runs],
            how=f"{len(runs)} repetitions of {seen['decode_tokens']} tokens, {how}",
            nothing="nothing was decoded",
        ),
        inter_token_p50_ms=percentile_reading(steps, 50, how=how),
        inter_token_p95_ms=percentile_reading(steps, 95, how=how),
        inter_token_p99_ms=percentile_reading(steps, 99, how=how),
        inter_token_samples_ms=steps,
        memory=memory_readings(seen["memory"]),
        energy_mj_per_token=_energy(seen),
        notes=_notes(seen, facts, gpu_layers, prompt_tokens, context, spin),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _load_readings(loads: Mapping[str, Any]) -> tuple[Reading, Reading]:
    what = "open, context, one token computed"
    warm = median_reading(loads["warm_ms"], how=f"{what}; file in the page cache", nothing="nothing was loaded")
    if loads["not_cold"] is not None:
        return Unmeasured(str(loads["not_cold"])), warm
    stayed = loads["stayed"]
    if stayed is not None and stayed > _COLD_ENOUGH:
        return Unmeasured(f"{stayed:.0%} of the file stayed in the page cache after posix_fadvise"), warm
    checked = "cold as far as posix_fadvise allows" if stayed is None else f"mincore: {stayed:.1%} of the pages stayed"
    how = f"{what}; page cache dropped by posix_fadvise(DONTNEED) before each, {checked}"
    return median_reading(loads["cold_ms"], how=how, nothing="nothing was loaded"), warm


def _prefill_points(
    asked: tuple[int, ...], samples: Mapping[int, list[float]], context: int
) -> tuple[PrefillPoint, ...]:
    how = "ids handed over to first id chosen, empty context; without tokenization and loading"
    points = []
    for length in sorted(set(asked)):
        if length in samples:
            times = samples[length]
            p50, p95 = (percentile_reading(times, percent, how=how) for percent in (50, 95))
            speed = median_reading([1e3 * length / ms for ms in times], how="prompt tokens / TTFT", nothing="")
            points.append(PrefillPoint(length, p50, p95, speed, tuple(times)))
        else:
            missing = Unmeasured(_does_not_fit(length, context))
            points.append(PrefillPoint(length, missing, missing, missing, ()))
    return tuple(points)


def _does_not_fit(length: int, context: int) -> str:
    return f"a prompt of {length} tokens does not fit a context of {context}"


def _energy(seen: Mapping[str, Any]) -> Reading:
    if seen["meter"] is None:
        return Unmeasured(str(seen["no_meter"]))
    per_token = [1e3 * joules / seen["decode_tokens"] for joules in seen["joules"] if joules is not None]
    return median_reading(
        per_token, how=f"decode only; {seen['meter']}", nothing="the power source failed while in use"
    )


def _notes(
    seen: Mapping[str, Any], facts: RuntimeFacts, gpu_layers: int, asked: tuple[int, ...], context: int, spin: bool
) -> tuple[str, ...]:
    notes = [f"prompts are {seen['prompt_origin']}"]
    notes += [_does_not_fit(length, context) for length in dict.fromkeys(asked) if not 0 < length <= context]
    if seen["decode_tokens"] < seen["decode_asked"]:
        notes.append(f"decode is slow here: {seen['decode_tokens']} tokens a repetition, not {seen['decode_asked']}")
    if seen["others"] > BUSY:
        notes.append(f"other programs used {seen['others']:.0%} of the CPUs meanwhile: on an idle machine it is faster")
    if not spin:
        notes.append("the machine was busy, so OpenMP threads slept while they waited for each other, not span")
    if gpu_layers and facts.gpu_layers == 0:
        notes.append(f"--gpu-layers {gpu_layers} was asked for; this build of the runtime computed on {facts.backend}")
    return tuple(notes)


class _Watcher:
    """Turns the child's events into progress over all planned repetitions."""

    def __init__(self, listener: Listener, name: str, repetitions: int, lengths: list[int]) -> None:
        self._listener = listener
        self._task = f"measure {name}"
        self._total = float(len(lengths) * max(repetitions, SAMPLES_NEEDED[95]) + repetitions)
        self._done = 0.0

    def __call__(self, event: dict[str, object]) -> None:
        if event["event"] in ("prefill", "decode"):
            self._done += 1
        self._listener(Progress(self._task, self._done, self._total, "repetitions"))

    def restart(self) -> None:
        self._total += self._done

    def finish(self) -> None:
        self._listener(Progress(self._task, self._total, self._total, "repetitions"))
