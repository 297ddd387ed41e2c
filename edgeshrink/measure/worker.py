"""What runs inside the measuring child of a language model: two jobs, each in a fresh process of its own.

Every figure goes out as an event the moment it is taken; the result repeats them, with what only the end can tell.
"""

from __future__ import annotations

import gc
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgeshrink.errors import RuntimeFailed
from edgeshrink.measure import latency
from edgeshrink.measure.cpu_use import CpuUse, IdleGuard, TurnedBusy
from edgeshrink.measure.files import artifact_files
from edgeshrink.measure.loading import Emit, time_loads
from edgeshrink.measure.memory import Recorder, forget_peak
from edgeshrink.measure.power.here import PowerHere
from edgeshrink.measure.prompts import prompt_ids
from edgeshrink.runtimes.interface import Session
from edgeshrink.runtimes.registry import runtime


def load_times(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Milliseconds from path to the first computed token; the libraries themselves are not what is timed."""
    path = Path(parameters["path"])
    runtime(parameters["runtime"]).preload()

    def use_once() -> None:
        with _open(path, parameters) as session:
            session.prefill([session.bos_id or 0])

    return time_loads(artifact_files(path), use_once, emit)


def _open(path: Path, parameters: dict[str, Any]) -> Session:
    """As an app would open it: without what only comparing needs."""
    return runtime(parameters["runtime"]).load(
        path,
        context=parameters["context"],
        threads=parameters["threads"],
        delegate=parameters["delegate"],
        gpu_layers=parameters["gpu_layers"],
        all_logits=False,
    )


def session(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Load, warm up, time prefill and decode, watch memory. `lengths` all fit the context; the first fills decode's.

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
    runtime(parameters["runtime"]).preload()
    lengths: list[int] = parameters["lengths"]
    repetitions = max(latency.LEAST_REPETITIONS, parameters["repetitions"])
    gc.collect()
    gc.disable()  # a collection inside a timed step would be charged to the model
    forget_peak()
    recorder = Recorder()
    power.rest()
    use = CpuUse()
    recorder.enter("load")
    emit({"event": "phase", "phase": "load"})
    with recorder.watching():
        opened = _open(Path(parameters["path"]), parameters)
    with opened:
        ids, origin = prompt_ids(opened, max([*lengths, 32]))
        step_ms = latency.warm_up(opened, ids[:32])
        recorder.guard = IdleGuard() if parameters["idle"] else None
        recorder.enter("prefill")
        emit({"event": "phase", "phase": "prefill"})
        prefill = latency.time_prefill(opened, ids, lengths, repetitions, recorder, emit)
        recorder.enter("decode")
        emit({"event": "phase", "phase": "decode"})
        context = min(parameters["context"], opened.context)
        asked = min(parameters["decode_tokens"], context - 1)
        if asked < 1:
            raise RuntimeFailed(f"a context of {context} tokens has no room to decode")
        tokens = latency.decode_tokens_within(latency.DECODE_S, step_ms, asked, repetitions)
        prompt = ids[: max(1, min(lengths[0] if lengths else 32, context - tokens))]
        runs = latency.time_decode(opened, prompt, tokens, repetitions, recorder, power, emit)
        recorder.guard = None
        recorder.enter("end")
        facts = opened.facts()
        recorder.sample()
    return {
        "turned_busy": False,
        "runtime": asdict(facts),
        "prompt_origin": origin,
        "prefill": [[length, prefill[length]] for length in lengths],
        "decode_prompt_tokens": len(prompt),
        "decode_tokens": tokens,
        "decode_asked": asked,
        "decode": runs,
        "power": power.as_json(),
        "others": use.others_since(),
        "memory": recorder.as_json(),
    }
