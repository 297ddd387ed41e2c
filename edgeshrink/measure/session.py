"""One measuring session of a language model: in fresh child processes, everything as readings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeshrink.core.events import Listener, silent
from edgeshrink.core.measurement import Measurements, PrefillPoint
from edgeshrink.core.reading import Reading, Unmeasured
from edgeshrink.devices.cpu import default_threads
from edgeshrink.devices.local import host_facts
from edgeshrink.measure.files import artifact_bytes
from edgeshrink.measure.latency import LEAST_REPETITIONS
from edgeshrink.measure.memory_readings import memory_readings
from edgeshrink.measure.observing import Observed, Watcher, observe
from edgeshrink.measure.statistics import SAMPLES_NEEDED, median_reading, percentile_reading


def measure(
    path: Path,
    *,
    sha256: str,
    runtime: str,
    delegate: str,
    context: int,
    threads: int | None = None,
    gpu_layers: int = 0,
    prompt_tokens: tuple[int, ...],
    decode_tokens: int = 128,
    repetitions: int = 5,
    power_sources: tuple[str, ...] = (),
    listener: Listener = silent,
) -> Measurements:
    """Measure `path` (a file, or a folder of files that belong together) with a KV cache of `context` tokens.

    `sha256` is the caller's name for it; `delegate` is what is asked for, what ran stands in the result.
    The first of `prompt_tokens` is the one that matters (the budget's): it gets its p95 samples first, and it is what
    fills the context before decode. Lengths that do not fit are Unmeasured. At least 5 repetitions. `threads` None:
    the physical cores that this process may use. Threads spin while they wait only on an idle machine (see
    `child.run_job`); the notes say so. RuntimeFailed where the runtime refuses the file or dies.
    """
    nbytes = artifact_bytes(path)
    repetitions = max(LEAST_REPETITIONS, repetitions)
    lengths = [length for length in dict.fromkeys(prompt_tokens) if 0 < length <= context]
    parameters: dict[str, object] = {
        "path": str(path.resolve()),
        "runtime": runtime,
        "delegate": delegate,
        "context": context,
        "threads": threads or default_threads(),
        "gpu_layers": gpu_layers,
        "lengths": lengths,
        "decode_tokens": decode_tokens,
        "repetitions": repetitions,
        "power_sources": list(power_sources),
    }
    total = len(lengths) * max(repetitions, SAMPLES_NEEDED[95]) + repetitions
    observed = observe("edgeshrink.measure.worker", parameters, Watcher(listener, path.name, total))
    seen = observed.seen
    cold, warm = observed.load_readings("open, context, one token computed")
    runs: list[list[float]] = seen["decode"]
    steps = tuple(step for run in runs for step in run)
    how = f"decode step and greedy choice, after a prompt of {seen['decode_prompt_tokens']} tokens"
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
        notes=_notes(observed, gpu_layers, prompt_tokens, context),
    )


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


def _notes(observed: Observed, gpu_layers: int, asked: tuple[int, ...], context: int) -> tuple[str, ...]:
    seen, facts = observed.seen, observed.runtime
    notes = [f"prompts are {seen['prompt_origin']}"]
    notes += [_does_not_fit(length, context) for length in dict.fromkeys(asked) if not 0 < length <= context]
    if seen["decode_tokens"] < seen["decode_asked"]:
        notes.append(f"decode is slow here: {seen['decode_tokens']} tokens a repetition, not {seen['decode_asked']}")
    notes += observed.busy_notes()
    if gpu_layers and facts.gpu_layers == 0:
        notes.append(f"--gpu-layers {gpu_layers} was asked for; this build of the runtime computed on {facts.backend}")
    return tuple(notes)
