"""What the native runner saw of its own memory, as readings. An app has the same, but for what it brings itself."""

from __future__ import annotations

from collections.abc import Callable

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.measurement import Memory, MemorySample
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.measure.assembly import thinned
from edgeshrink.measure.device import gpu_memory
from edgeshrink.measure.device.events import Decode, Described, Loaded, MemoryRow, Prefill
from edgeshrink.measure.device.record import Record

_HOW = "the native runner (llama.cpp, weights, KV cache), not an app around it"
_MAPPED = "_Mapped"
"""Ending of llama.cpp's name for weights that are computed with where the file is mapped."""


def memory_readings(record: Record, gpu: Reading, device: ProbedDevice, *, missing: str) -> Memory:
    """`missing`: why there are no figures where the runner gave none; `gpu`: the GPU's share of a common memory.

    What must fit, and the peak, are Unmeasured where a GPU took an unknown part of the RAM: they are more than is seen.
    """
    rows = record.all(MemoryRow)
    if not rows:
        nothing = Unmeasured(missing)
        return Memory(nothing, nothing, nothing, nothing, nothing, (), nothing, nothing, gpu)
    looks = f"{len(rows)} looks, between timed stretches"
    anon = _peak(
        rows, lambda row: row.anon + max(0, row.shmem) if row.anon >= 0 else -1, f"pages no file backs; {looks}"
    )
    loaded = record.first(Loaded)
    peak, fit = _headline(rows, looks, _mark(record, device)), _fit(anon, loaded, gpu)
    if loaded is not None and gpu_memory.takes_ram(device, loaded) and not isinstance(gpu, Measured):
        known = gpu_memory.buffers_bytes(loaded)
        if not gpu_memory.counts_gpu(device):
            gpu, fit = _share_at_least(gpu, known), _at_least(fit, known)
            peak = _at_least(peak, known)
        else:
            gpu = Unmeasured("it is in the physical footprint, and so in what must fit")
            if record.first(Described) is None:  # the runner's mark is the resident size
                peak = _at_least(peak, 0)
    return Memory(
        peak_rss_bytes=peak,
        peak_anon_bytes=anon,
        peak_file_bytes=_peak(rows, lambda row: row.file, f"pages of mapped files, weights among them; {looks}"),
        peak_pss_bytes=Unmeasured("the native runner reads no proportional set size"),
        baseline_rss_bytes=_baseline(rows),
        timeline=_timeline(rows),
        fit_bytes=fit,
        major_faults=_major_faults(record),
        gpu_bytes=gpu,
    )


def _mark(record: Record, device: ProbedDevice) -> str:
    """What the system's high-water mark is of."""
    described = record.first(Described)
    if device.system != "darwin" or (described is not None and described.system == "Linux"):
        return "VmHWM, the system's high-water mark"
    if described is not None:
        return "the highest physical footprint, by the system's own mark"
    return "the largest resident size, by getrusage"


def _share_at_least(gpu: Reading, known: int) -> Reading:
    """`known` bytes of weights of the GPU's share."""
    assert isinstance(gpu, Unmeasured)
    if not known:
        return gpu
    said = f"at least {_mib(known)}: llama.cpp's own figure of its weight buffers; KV cache and scratch are not in it"
    return Unmeasured(f"{gpu.reason}; {said}")


def _at_least(reading: Reading, known: int) -> Reading:
    """A reading without the GPU's share, and `known` bytes of that, say only how much it is at least."""
    if isinstance(reading, Unmeasured):
        return reading
    parts = f" with {_mib(known)} of weights in the GPU's buffers" if known else ""
    return Unmeasured(
        f"at least {_mib(reading.value + known)}{parts}: what else the GPU holds of the memory is not known"
    )


def _mib(nbytes: float) -> str:
    return f"{nbytes / 2**20:,.0f} MiB"


def _headline(rows: list[MemoryRow], looks: str, mark: str) -> Reading:
    marks = [row.hwm for row in rows if row.hwm >= 0]
    if marks:
        return Measured(float(max(marks)), n=len(marks), how=f"{_HOW}; {mark}")
    return _peak(rows, lambda row: row.rss, f"the system keeps no high-water mark; {looks}")


def _peak(rows: list[MemoryRow], field: Callable[[MemoryRow], int], how: str) -> Reading:
    known = [value for value in map(field, rows) if value >= 0]
    if not known:
        return Unmeasured("this system does not split resident memory into anonymous and file-backed")
    return Measured(float(max(known)), n=len(known), how=f"{_HOW}; {how}")


def _baseline(rows: list[MemoryRow]) -> Reading:
    start = next((row for row in rows if row.phase == "start" and row.rss >= 0), None)
    if start is None:
        return Unmeasured("the runner did not look before it opened the file")
    return Measured(float(start.rss), how="the native runner, before the file is opened")


def _timeline(rows: list[MemoryRow]) -> tuple[MemorySample, ...]:
    split = [row for row in rows if row.anon >= 0 and row.file >= 0]
    return thinned(
        [MemorySample(row.t - rows[0].t, row.phase, row.anon + max(0, row.shmem), row.file) for row in split]
    )


def _fit(anon: Reading, loaded: Loaded | None, gpu: Reading) -> Reading:
    """Peak anonymous memory and all weights that stay in the mapped file: reclaiming those would mean paging.

    Weights that were read, or copied into another layout when they were loaded, are anonymous already.
    """
    if not isinstance(anon, Measured) or loaded is None:
        return anon if isinstance(anon, Unmeasured) else Unmeasured("the runner did not load the model")
    weights, how = 0, "peak anonymous, the weights in it: they were read, not mapped"
    if loaded.mapped:
        mapped = [size for name, size in loaded.buffers.items() if name.endswith(_MAPPED)]
        weights = min(sum(mapped), loaded.model_bytes) if loaded.buffers else loaded.model_bytes
        how = "peak anonymous + mapped weights"
    if isinstance(gpu, Measured):
        return Measured(anon.value + weights + gpu.value, how=f"{how} + the GPU's share")
    return Measured(anon.value + weights, how=how)


def _major_faults(record: Record) -> Reading:
    timed = len(record.all(Prefill)) + len(record.all(Decode))
    if not timed:
        return Unmeasured("nothing was timed")
    if record.major_faults is None:
        return Unmeasured("it was not counted which pages came from storage")
    how = "major faults of the runner while prefill and decode were timed"
    return Measured(float(record.major_faults), n=timed, how=how)
