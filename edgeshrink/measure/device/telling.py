"""From what one session's runs said to its Measurements. Pure: nothing here talks to a device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.measurement import HostFacts, HostState, Measurements, RuntimeFacts, Sustained
from edgeshrink.core.power import PowerRecord
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.measure.assembly import decode_readings, does_not_fit, load_readings, others_note, prefill_points
from edgeshrink.measure.device.events import (
    CpuUse,
    Decode,
    Hello,
    Idle,
    Load,
    Loaded,
    Note,
    Prefill,
    Prompt,
    Sample,
    Stretch,
)
from edgeshrink.measure.device.memory import memory_readings
from edgeshrink.measure.device.record import Record
from edgeshrink.measure.device.sampling import Sampled
from edgeshrink.measure.device.schedule import Schedule
from edgeshrink.measure.device.sustained import sustained
from edgeshrink.measure.power.energy import no_power, record_power
from edgeshrink.measure.power.interface import RawSample
from edgeshrink.measure.statistics import median_reading

NAME = "llama_cpp"
"""The runtime's name: the native runner is llama.cpp, of the version that is installed here."""

_GAP_S = 0.01
"""Between two stretches there may be a prompt, which is no decode."""
_SHORTEST_S = 0.5
"""The system counts busy time in ticks of a hundredth second: over less it says nothing."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a session on a device saw. `partial`: why it ended early, or "". `loads` None: they were not timed."""

    device: ProbedDevice
    taken_at: str
    before: HostState
    after: HostState
    loads: Record | None
    bench: Record
    sampled: Sampled
    lines: tuple[RawSample, ...]
    """Of a power source that is a program."""
    gpu: Reading
    parity: Reading
    partial: str
    notes: tuple[str, ...]
    no_loads: str = ""
    """What stopped the loads, or ""."""


def measurements(
    seen: Seen,
    schedule: Schedule,
    asked: Sequence[int],
    *,
    long: bool,
    sha256: str,
    nbytes: int,
    context: int,
    threads: int,
) -> Measurements:
    """Everything as readings; what is missing in a session that ended early says so.

    `asked`: prompt lengths; `long`: a sustained run was asked for, not only decoded on for the sake of energy.
    """
    bench = seen.bench
    nothing = f"the session ended early: {seen.partial}" if seen.partial else "the runner did not time it"
    prefill: dict[int, list[float]] = {}
    for part in bench.all(Prefill):
        prefill.setdefault(part.tokens, []).append(part.ms)
    runs: dict[int, list[tuple[float, ...]]] = {depth: [] for depth in schedule.depths}
    for run in bench.all(Decode):
        runs.setdefault(run.depth, []).append(run.steps_ms)
    decodes = {depth: decode_readings(found, depth, nothing=nothing) for depth, found in runs.items()}
    headline = decodes[schedule.depths[0]]
    power, energy = _power(seen, schedule)
    cold, warm = _loads(seen.loads, seen.no_loads or (nothing if seen.partial else "loads were not timed"))
    return Measurements(
        artifact_sha256=sha256,
        artifact_bytes=nbytes,
        taken_at=seen.taken_at,
        repetitions=schedule.repetitions,
        host=host_of(seen.device),
        runtime=_runtime(bench, context, threads),
        before=seen.before,
        after=under_load(seen.after, timed_samples(bench), seen.sampled),
        load_cold_ms=cold,
        load_warm_ms=warm,
        prefill=prefill_points(asked, prefill, context, nothing=nothing),
        decode_tok_s=headline.decode_tok_s,
        inter_token_p50_ms=headline.inter_token_p50_ms,
        inter_token_p95_ms=headline.inter_token_p95_ms,
        inter_token_p99_ms=headline.inter_token_p99_ms,
        inter_token_samples_ms=headline.samples_ms,
        memory=memory_readings(bench, seen.gpu, seen.device, missing=nothing),
        energy_mj_per_token=energy,
        notes=_notes(seen, schedule, asked, context),
        power=power,
        device=seen.device,
        decode_points=tuple(readings.point(depth) for depth, readings in decodes.items()),
        greedy_parity=seen.parity,
        sustained=_sustained(bench, seen.sampled) if long else None,
        partial=seen.partial,
    )


def timed_samples(record: Record) -> list[Sample]:
    """Those taken from the first timed part on."""
    starts = [part.start for part in record.all(Prefill)] + [part.start for part in record.all(Decode)]
    began = min(starts, default=math.inf)
    return [sample for sample in record.all(Sample) if sample.t >= began]


def under_load(after: HostState, samples: Sequence[Sample], sampled: Sampled) -> HostState:
    """The state `after` a session, with heat and clock as they were while it ran, where they were sampled."""
    heat = [hot for hot in map(sampled.temperature, samples) if hot is not None]
    clocks = [clock for clock in map(sampled.frequency_mhz, samples) if clock is not None]
    temperature, frequency = after.temperature_c, after.frequency_mhz
    if heat and (not isinstance(temperature, Measured) or temperature.value < max(heat)[0]):
        hottest, name = max(heat)
        temperature = Measured(hottest, n=len(heat), how=f"sensor {name}, the highest while it was measured")
    if clocks:
        how = "scaling_cur_freq of the fastest cluster while it was measured"
        frequency = median_reading(clocks, how=how, nothing="")
    return replace(after, temperature_c=temperature, frequency_mhz=frequency)


def host_of(device: ProbedDevice) -> HostFacts:
    system = " ".join(part for part in (device.os, device.kernel, device.machine) if part)
    return HostFacts(device.id, system, device.cpu, device.cores, device.ram_bytes, python="")


def _runtime(record: Record, context: int, threads: int) -> RuntimeFacts:
    hello, loaded = record.needed(Hello), record.needed(Loaded)
    return RuntimeFacts(
        name=NAME,
        version=hello.llama,
        build_id=hello.build,
        backend=loaded.backend,
        cpu_features=hello.features,
        threads=loaded.threads or threads,
        gpu_layers=max(0, loaded.gpu_layers),
        context=loaded.context or context,
    )


def _loads(record: Record | None, nothing: str) -> tuple[Reading, Reading]:
    if record is None:
        missing = Unmeasured(nothing)
        return missing, missing
    loads = record.all(Load)
    stayed = [load.stayed for load in loads if load.cold and load.stayed is not None]
    cold = [load.ms for load in loads if load.cold]
    why = next((note.what for note in record.all(Note)), None) if not cold else None
    return load_readings(
        cold,
        [load.ms for load in loads if not load.cold],
        stayed=max(stayed, default=None),
        not_cold=why,
        nothing=nothing,
    )


def _power(seen: Seen, schedule: Schedule) -> tuple[PowerRecord, Reading]:
    if isinstance(seen.sampled.power, str):
        return no_power(seen.sampled.power)
    reader, plan = seen.sampled.power
    samples = list(seen.lines) or seen.sampled.power_samples(seen.bench.all(Sample))
    idle = seen.bench.first(Idle)
    rest = None if idle is None else (idle.start, idle.end)
    return record_power(reader, plan, samples, rest, decode_windows(seen.bench, schedule))


def decode_windows(record: Record, schedule: Schedule) -> list[tuple[float, float, int]]:
    """(from, to, tokens) of stretches of decode at the first depth, each long enough for the power sensor.

    These are the repetitions; where they are too short, as many stretches of the decode that went on as it takes.
    """
    runs = [run for run in record.all(Decode) if run.depth == schedule.depths[0]]
    windows = [(run.start, run.end, len(run.steps_ms)) for run in runs if run.end - run.start >= schedule.window_s]
    if windows:
        return windows
    began: float | None = None
    ended, tokens = 0.0, 0
    for part in record.all(Stretch):
        if began is None or part.start - ended > _GAP_S:
            began, tokens = part.start, 0
        ended, tokens = part.end, tokens + part.tokens
        if ended - began >= schedule.window_s:
            windows.append((began, ended, tokens))
            began = None
    return windows or [(run.start, run.end, len(run.steps_ms)) for run in runs]


def _notes(seen: Seen, schedule: Schedule, asked: Sequence[int], context: int) -> tuple[str, ...]:
    bench, device = seen.bench, seen.device
    notes = []
    if prompt := bench.first(Prompt):
        notes.append(f"prompts are {prompt.origin}")
    notes += [does_not_fit(length, context) for length in dict.fromkeys(asked) if not 0 < length <= context]
    notes += schedule.notes
    notes += seen.notes
    notes += _others(bench)
    if (loaded := bench.first(Loaded)) and not loaded.mapped:
        notes.append("weights were read into memory, not mapped from the file")
    if faults := bench.major_faults:
        notes.append(f"paging: {faults} pages had to come from storage while it was timed: it did not fit the memory")
    if "qemu-user" in device.emulation:
        notes.append("the emulator's own memory is in the resident figures")
    return tuple(notes)


def _others(record: Record) -> tuple[str, ...]:
    uses = [use for use in record.all(CpuUse) if use.cpus]
    if sum(use.end - use.start for use in uses) < _SHORTEST_S:
        return ()
    share = _others_share(uses)
    if share is None:
        return ("this system does not show what other programs did meanwhile",)
    return others_note(share)


def _others_share(uses: Sequence[CpuUse]) -> float | None:
    """Share (0 to 1) of the CPUs that other programs had; None where the system does not show it."""
    room = sum((use.end - use.start) * use.cpus for use in uses)
    if room <= 0 or any(use.own_s < 0 or use.all_s < 0 for use in uses):
        return None
    return min(1.0, max(0.0, sum(use.all_s - use.own_s for use in uses) / room))


def _sustained(record: Record, sampled: Sampled) -> Sustained | None:
    stretches = record.all(Stretch)
    meanwhile = [use for use in record.all(CpuUse) if stretches and use.end > stretches[0].start]
    return sustained(stretches, record.all(Sample), sampled, others=_others_share(meanwhile) or 0.0)
