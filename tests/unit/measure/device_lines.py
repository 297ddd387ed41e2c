"""Lines as the native runner writes them, and a device to have said them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgeshrink.core.device import ProbedDevice
from edgeshrink.measure.device.record import Record, read_events
from edgeshrink.toolchain.runner.build import BuiltRunner
from edgeshrink.toolchain.runner.platform import platform

MIB = 1 << 20


def hello(**changes: Any) -> dict[str, Any]:
    return {
        "event": "hello", "protocol": 1, "build": "0.3.36+abc", "llama": "0.3.36", "system_info": "CPU : NEON = 1",
        "features": ["neon", "dotprod"], "page_bytes": 4096, "pid": 77, "t": 10.0,
    } | changes  # fmt: skip


def loaded(**changes: Any) -> dict[str, Any]:
    return {
        "event": "loaded", "ms": 20.5, "model_bytes": 5 * MIB, "parameters": 5_000_000, "context": 256, "vocab": 4096,
        "backend": "CPU", "devices": ["CPU: a CPU"], "gpu_layers": 0, "threads": 4, "mapped": True,
        "buffers": {"CPU_Mapped": 5 * MIB},
    } | changes  # fmt: skip


def memory(phase: str, t: float, *, hwm: int, anon: int, file: int, **changes: Any) -> dict[str, Any]:
    return {
        "event": "memory", "phase": phase, "t": t, "hwm": hwm, "rss": anon + file, "anon": anon, "file": file,
        "shmem": 0, "majflt": 3, "minflt": 100,
    } | changes  # fmt: skip


def prefill(tokens: int, repetition: int, ms: float, *, at: float = 20.0, majflt: int = 0) -> dict[str, Any]:
    end = at + ms / 1e3
    return {
        "event": "prefill", "tokens": tokens, "repetition": repetition, "from": at, "to": end, "ms": ms,
        "majflt": majflt,
    }  # fmt: skip


def decode(depth: int, repetition: int, steps_ms: list[float], *, at: float = 30.0, majflt: int = 0) -> dict[str, Any]:
    return {
        "event": "decode", "depth": depth, "repetition": repetition, "from": at, "to": at + sum(steps_ms) / 1e3,
        "steps_ms": steps_ms, "majflt": majflt,
    }  # fmt: skip


def end(t: float = 99.0) -> dict[str, Any]:
    return {"event": "end", "t": t}


def record(*events: dict[str, Any]) -> Record:
    return read_events(json.dumps(event) for event in events)


def device(**changes: Any) -> ProbedDevice:
    facts: dict[str, Any] = {
        "address": "ssh:me@board", "id": "d1", "system": "linux", "os": "Debian 12", "kernel": "6.1",
        "machine": "aarch64",
        "libc": "glibc 2.36", "names": ("A Board",), "cpu": "Arm Cortex-A76", "clusters": (), "cores": 4,
        "cpu_features": ("asimd", "asimdhp", "asimddp"), "ram_bytes": 4096 * MIB, "available_bytes": 900 * MIB,
        "page_bytes": 4096,
    }  # fmt: skip
    return ProbedDevice(**(facts | changes))


def runner(name: str = "arm64-dotprod") -> BuiltRunner:
    return BuiltRunner(Path("edgeshrink-runner"), "0.3.36+abc", "gnu", platform(name))
