"""Runs in a child process: the speeds of this machine, from llama.cpp's own kernels on random weights.

A copy loop or a numpy sum tells another speed than the one that decode reaches. So three models of LAYERS layers are
made and decoded: a tiny one and one inside the last-level cache, which differ in weight bytes only, and one several
times larger than that cache. A decode step takes overhead + bytes / speed, and that is solved for.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from edgeshrink.errors import NoSpace
from edgeshrink.ggml.quantize import quantize_rows
from edgeshrink.measure.cpu_use import CpuUse
from edgeshrink.measure.loading import Emit
from edgeshrink.measure.statistics import percentile
from edgeshrink.measure.synthetic import Shape, write_random_gguf
from edgeshrink.runtimes import llama_cpp
from edgeshrink.runtimes.interface import Session

T = TypeVar("T")

LAYERS = 16
_TYPE = "Q4_K"
_BLOCK = 256
_DRAM_BYTES = (137_000_000, 600_000_000)
"""Least and largest size of the model that does not fit the cache."""
_DECODE_S = 1.2
_DECODE_STEPS = 200
_PREFILL_S = 0.5
_DISK_BYTES = 64 << 20
_QUANTIZE_SHAPE = (1024, 2048)


def run(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """`scratch` (a folder of its own), `threads`, `cache_bytes`. Returns the speeds as MachineCalibration names them.

    NoSpace where the disk fills up.
    """
    try:
        return _speeds(parameters, emit)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise NoSpace(f"{parameters['scratch']}: the disk is full", hint="free some disk space") from error
        raise


def _speeds(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    scratch, threads = Path(parameters["scratch"]), int(parameters["threads"])
    cache_bytes = int(parameters["cache_bytes"])
    use = CpuUse()
    tiny = Shape(layers=LAYERS, width=_BLOCK, ffn=_BLOCK, vocab=512, context=512, type=_TYPE)
    cached = _wider(tiny, cache_bytes // 4)
    large = Shape(layers=LAYERS, width=1024, ffn=4096, vocab=512, context=512, type=_TYPE)
    large = _wider(large, min(max(4 * cache_bytes, _DRAM_BYTES[0]), _DRAM_BYTES[1]))
    emit({"done": 1})
    tiny_s = _with_model(scratch, tiny, threads, _decode_step_s)
    cached_s = _with_model(scratch, cached, threads, _decode_step_s)
    emit({"done": 2})
    large_s, prefill_flop_s = _with_model(
        scratch, large, threads, lambda session: (_decode_step_s(session), _prefill_flop_s(session, large.parameters))
    )
    emit({"done": 3})
    overhead_s, cache_speed, dram_speed = solve(
        tiny.weight_bytes, tiny_s, cached.weight_bytes, cached_s, large.weight_bytes, large_s
    )
    quantize_weights_s = _quantize_weights_s(threads)
    emit({"done": 4})
    return {
        "dram_read_bytes_s": dram_speed,
        "cache_read_bytes_s": cache_speed,
        "decode_overhead_s": overhead_s,
        "prefill_flop_s": prefill_flop_s,
        "quantize_weights_s": quantize_weights_s,
        "disk_write_bytes_s": _disk_write_bytes_s(scratch),
        "others_cpu_share": use.others_since(),
    }


def solve(
    tiny_bytes: int, tiny_s: float, cached_bytes: int, cached_s: float, large_bytes: int, large_s: float
) -> tuple[float, float, float]:
    """Overhead in s, cache bytes/s, DRAM bytes/s, of time = overhead + bytes / speed.

    Where noise makes that unsolvable (a step over more bytes was no slower), all of the tiny step counts as overhead
    but what its bytes take at the larger models' speed.
    """
    dram = large_bytes / large_s
    for _ in range(3):  # overhead and DRAM speed depend on each other; the overhead is some percent of a large step
        gap = cached_s - tiny_s
        cache = max((cached_bytes - tiny_bytes) / gap if gap > 0 else 0.0, dram)
        overhead = max(0.0, tiny_s - tiny_bytes / cache)
        dram = large_bytes / max(large_s - overhead, 0.5 * large_s)
    return overhead, max(cache, dram), dram


def _wider(shape: Shape, weight_bytes: int) -> Shape:
    """`shape` with the FFN width that brings it to about `weight_bytes`; never less than it has."""
    one_more = replace(shape, ffn=shape.ffn + _BLOCK)
    step = one_more.weight_bytes - shape.weight_bytes
    blocks = max(0, round((weight_bytes - shape.weight_bytes) / step))
    return replace(shape, ffn=shape.ffn + blocks * _BLOCK)


def _with_model(scratch: Path, shape: Shape, threads: int, use: Callable[[Session], T]) -> T:
    path = scratch / "calibration.gguf"
    try:
        write_random_gguf(path, shape)
        with llama_cpp.load(path, context=shape.context, threads=threads, all_logits=False) as session:
            return use(session)
    finally:
        path.unlink(missing_ok=True)


def _decode_step_s(session: Session) -> float:
    """Seconds of a decode step: the median, which is also what a measuring session tells of decode speed."""
    session.reset()
    session.prefill(range(16))
    times: list[float] = []
    while len(times) < _DECODE_STEPS and sum(times) < _DECODE_S:
        began = time.perf_counter()
        session.decode(len(times) % 256)
        times.append(time.perf_counter() - began)
    return percentile(times, 50)


def _prefill_flop_s(session: Session, parameters: int) -> float:
    """Operations a second (two per weight and token), at the number of tokens that takes about half a second."""
    tokens, best = 32, 0.0
    while tokens <= session.context:
        session.reset()
        ids = [token % 256 for token in range(tokens)]
        began = time.perf_counter()
        session.prefill(ids)
        took = time.perf_counter() - began
        best = max(best, 2.0 * parameters * tokens / took)
        if took > _PREFILL_S:
            break
        tokens *= 2
    return best


def _quantize_weights_s(threads: int) -> float:
    values = np.random.default_rng(0).standard_normal(_QUANTIZE_SHAPE, np.float32)
    quantize_rows(values[:16], _TYPE, None, threads)  # tables are made on first use
    began = time.perf_counter()
    quantize_rows(values, _TYPE, None, threads)
    return values.size / (time.perf_counter() - began)


def _disk_write_bytes_s(scratch: Path) -> float:
    path = scratch / "calibration.bin"
    block = np.random.default_rng(0).bytes(8 << 20)
    try:
        began = time.perf_counter()
        with path.open("wb") as stream:
            for _ in range(_DISK_BYTES // len(block)):
                stream.write(block)
            stream.flush()
            os.fsync(stream.fileno())
        return _DISK_BYTES / (time.perf_counter() - began)
    finally:
        path.unlink(missing_ok=True)
