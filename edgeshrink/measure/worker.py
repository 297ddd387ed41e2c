"""What runs inside the measuring child: two jobs, each in a fresh process of its own.

Every figure goes out as an event the moment it is taken; the result repeats them, with what only the end can tell.
"""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Any

from edgeshrink.errors import RuntimeFailed
from edgeshrink.measure import latency, page_cache
from edgeshrink.measure.cpu_use import CpuUse, IdleGuard, TurnedBusy
from edgeshrink.measure.latency import Emit
from edgeshrink.measure.memory import Recorder
from edgeshrink.measure.power.registry import first_available
from edgeshrink.measure.prompts import prompt_ids
from edgeshrink.runtimes.interface import Session
from edgeshrink.runtimes.registry import runtime

LOADS = 5
LOADS_S = 5.0
"""Loads of each kind, cold and warm: up to LOADS, as long as those before took less than LOADS_S together."""


def load_times(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Milliseconds from path to the first computed token, cold and warm, and how cold cold was.

    With mapped weights opening a file reads little of it: only a computed token has read every weight.
    """
    path = Path(parameters["path"])
    runtime(parameters["runtime"]).build_id()  # the library itself is not what is timed
    cold: list[float] = []
    stayed: float | None = None
    reason = None
    while len(cold) < LOADS and sum(cold) < 1e3 * LOADS_S:
        reason = page_cache.drop(path)
        if reason is not None:
            break
        share = page_cache.resident_share(path)
        if share is not None:
            stayed = max(stayed or 0.0, share)
        cold.append(_load_once(path, parameters))
        emit({"event": "load", "cold": True, "ms": cold[-1]})
    warm: list[float] = []
    _load_once(path, parameters)
    while len(warm) < LOADS and sum(warm) < 1e3 * LOADS_S:
        warm.append(_load_once(path, parameters))
        emit({"event": "load", "cold": False, "ms": warm[-1]})
    return {"cold_ms": cold, "warm_ms": warm, "stayed": stayed, "not_cold": reason}


def _load_once(path: Path, parameters: dict[str, Any]) -> float:
    began = time.perf_counter()
    with _open(path, parameters) as session:
        session.prefill([session.bos_id or 0])
        return 1e3 * (time.perf_counter() - began)


def _open(path: Path, parameters: dict[str, Any]) -> Session:
    return runtime(parameters["runtime"]).load(
        path,
        context=parameters["context"],
        threads=parameters["threads"],
        gpu_layers=parameters["gpu_layers"],
        flash_attention=True,  # as llama.cpp itself does unless told otherwise
        all_logits=False,
    )


def session(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Load, warm up, time prefill and decode, watch memory. `lengths` all fit the context; the first fills decode's.

    `idle`: threads spin while they wait. Where other programs begin to work meanwhile, `turned_busy` is the result.
    """
    try:
        return _session(parameters, emit)
    except TurnedBusy:
        return {"turned_busy": True}
    finally:
        gc.enable()


def _session(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    recorder = Recorder()
    lengths: list[int] = parameters["lengths"]
    repetitions = max(latency.LEAST_REPETITIONS, parameters["repetitions"])
    runtime(parameters["runtime"]).build_id()
    use = CpuUse()
    gc.disable()  # a collection inside a timed step would be charged to the model
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
        source = first_available(parameters["power_sources"])
        meter = None if isinstance(source, str) else source[1]
        runs = latency.time_decode(opened, prompt, tokens, repetitions, recorder, meter, emit)
        recorder.guard = None
        recorder.enter("end")
        facts = opened.facts()
        recorder.sample()
    return {
        "turned_busy": False,
        "runtime": {name: getattr(facts, name) for name in facts.__dataclass_fields__},
        "prompt_origin": origin,
        "prefill": [[length, prefill[length]] for length in lengths],
        "decode_prompt_tokens": len(prompt),
        "decode_tokens": tokens,
        "decode_asked": asked,
        "decode": [run.steps_ms for run in runs],
        "joules": [run.joules for run in runs],
        "meter": None if meter is None else meter.scope,
        "no_meter": source if isinstance(source, str) else None,
        "others": use.others_since(),
        "memory": recorder.as_json(),
    }
