"""One measuring session of a language model: in fresh child processes, everything as readings."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.core.events import Listener, silent
from edgeshrink.core.measurement import Measurements
from edgeshrink.devices.cpu import default_threads
from edgeshrink.devices.local import host_facts
from edgeshrink.measure.assembly import LOADED, decode_readings, does_not_fit, prefill_points
from edgeshrink.measure.files import artifact_bytes
from edgeshrink.measure.latency import LEAST_REPETITIONS
from edgeshrink.measure.memory_readings import memory_readings
from edgeshrink.measure.observing import Observed, Watcher, observe
from edgeshrink.measure.power.here import from_json
from edgeshrink.measure.statistics import SAMPLES_NEEDED


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
    cold, warm = observed.load_readings(LOADED)
    runs: list[list[float]] = seen["decode"]
    decode = decode_readings(runs, seen["decode_prompt_tokens"])
    power, energy, _ = from_json(seen["power"])
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
        prefill=prefill_points(prompt_tokens, dict(seen["prefill"]), context),
        decode_tok_s=decode.decode_tok_s,
        inter_token_p50_ms=decode.inter_token_p50_ms,
        inter_token_p95_ms=decode.inter_token_p95_ms,
        inter_token_p99_ms=decode.inter_token_p99_ms,
        inter_token_samples_ms=decode.samples_ms,
        memory=memory_readings(seen["memory"]),
        energy_mj_per_token=energy,
        notes=_notes(observed, gpu_layers, prompt_tokens, context),
        power=power,
    )


def _notes(observed: Observed, gpu_layers: int, asked: tuple[int, ...], context: int) -> tuple[str, ...]:
    seen, facts = observed.seen, observed.runtime
    notes = [f"prompts are {seen['prompt_origin']}"]
    notes += [does_not_fit(length, context) for length in dict.fromkeys(asked) if not 0 < length <= context]
    if seen["decode_tokens"] < seen["decode_asked"]:
        notes.append(f"decode is slow here: {seen['decode_tokens']} tokens a repetition, not {seen['decode_asked']}")
    notes += observed.busy_notes()
    if gpu_layers and facts.gpu_layers == 0:
        notes.append(f"--gpu-layers {gpu_layers} was asked for; this build of the runtime computed on {facts.backend}")
    return tuple(notes)
