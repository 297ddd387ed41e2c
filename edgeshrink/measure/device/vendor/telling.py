"""From what a vendor's runner told to Measurements: what it does not tell is Unmeasured, and says so. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.measurement import (
    HostState,
    InferencePoint,
    Measurements,
    Memory,
    PrefillPoint,
    RuntimeFacts,
)
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.measure.assembly import does_not_fit, thinned
from edgeshrink.measure.device.telling import host_of
from edgeshrink.measure.device.vendor.interface import Spread, Told, VendorRunner
from edgeshrink.measure.device.vendor.watched import LOOK_EVERY_S, Watched
from edgeshrink.measure.power.energy import no_power
from edgeshrink.measure.statistics import median_reading

_NO_TOKENS = Unmeasured("a network generates no tokens")
_NOT_COLD = Unmeasured("the page cache is not dropped before a vendor's runner: the file was just copied")


@dataclass(frozen=True, slots=True)
class Seen:
    """One session: what was told for each prompt length that was asked for (0: of a network), and every process."""

    device: ProbedDevice
    runner: VendorRunner
    runtime: RuntimeFacts
    taken_at: str
    before: HostState
    after: HostState
    told: Mapping[int, Sequence[Told]]
    processes: Sequence[Watched]
    notes: tuple[str, ...]


def measurements(
    seen: Seen, asked: Sequence[int], *, sha256: str, nbytes: int, repetitions: int, context: int
) -> Measurements:
    """`asked`: prompt lengths; the first of them that fits is what decode is told of."""
    runner, network = seen.runner, seen.runner.network
    every = [told for group in seen.told.values() for told in group]
    first = next(iter(seen.told.values()))
    power, energy = no_power(f"{runner.name} does not say when it computes, so no power can be put to it")
    step = _joined([told.step for told in first])
    decode = [_step(step, percent, runner) for percent in (50, 95, 99)]
    return Measurements(
        artifact_sha256=sha256,
        artifact_bytes=nbytes,
        taken_at=seen.taken_at,
        repetitions=repetitions,
        host=host_of(seen.device),
        runtime=seen.runtime,
        before=seen.before,
        after=seen.after,
        load_cold_ms=_NOT_COLD,
        load_warm_ms=median_reading(
            [told.load_ms for told in every if told.load_ms is not None],
            how=runner.loading,
            nothing=f"{runner.name} does not say",
        ),
        prefill=() if network else tuple(_prefill(seen, length, context) for length in sorted(set(asked))),
        decode_tok_s=_NO_TOKENS if network else _speed(first, runner),
        inter_token_p50_ms=_NO_TOKENS if network else decode[0],
        inter_token_p95_ms=_NO_TOKENS if network else decode[1],
        inter_token_p99_ms=_NO_TOKENS if network else decode[2],
        inter_token_samples_ms=(),
        memory=_memory(seen, every),
        energy_mj_per_token=_NO_TOKENS if network else energy,
        inference=(_inference(first, runner, energy),) if network else (),
        notes=(*seen.notes, *dict.fromkeys(remark for told in every for remark in told.remarks)),
        power=power,
        device=seen.device,
    )


def _joined(spreads: Sequence[Spread]) -> Spread:
    """All samples of several processes; of one that kept them to itself, what it made of them."""
    samples = tuple(sample for spread in spreads for sample in spread.samples_ms)
    return Spread(samples) if samples or not spreads else spreads[0]


def _step(step: Spread, percent: int, runner: VendorRunner) -> Reading:
    return step.reading(percent, runner.name, "one decode step")


def _prefill(seen: Seen, asked: int, context: int) -> PrefillPoint:
    told = seen.told.get(asked)
    if not told:
        missing = Unmeasured(does_not_fit(asked, context))
        return PrefillPoint(asked, missing, missing, missing, ())
    tokens = told[0].prompt_tokens
    ttft = _joined([one.ttft for one in told])
    p50, p95 = (ttft.reading(percent, seen.runner.name, seen.runner.first) for percent in (50, 95))
    speed: Reading = p50
    if isinstance(p50, Measured) and p50.value > 0:
        speed = Measured(1e3 * tokens / p50.value, n=p50.n, how="prompt tokens / TTFT p50")
    elif isinstance(p50, Measured):
        speed = Unmeasured("the prompt took less than the runner's clock tells")
    return PrefillPoint(tokens, p50, p95, speed, ttft.samples_ms)


def _speed(told: Sequence[Told], runner: VendorRunner) -> Reading:
    speeds = [speed for one in told for speed in one.decode_tok_s]
    tokens = sum(one.decode_tokens for one in told)
    if len(speeds) == 1:
        return Measured(speeds[0], n=tokens, how=f"{runner.name}'s own mean over {tokens} tokens")
    how = f"{len(told)} generations, {tokens} tokens in all, as {runner.name} timed them"
    return median_reading(speeds, how=how, nothing=f"{runner.name} generated nothing")


def _inference(told: Sequence[Told], runner: VendorRunner, energy: Reading) -> InferencePoint:
    runs = _joined([one.runs for one in told])
    p50, p95, p99 = (runs.reading(percent, runner.name, f"one run, {runner.inputs}") for percent in (50, 95, 99))
    return InferencePoint(runner.inputs, p50, p95, p99, runs.samples_ms, energy)


def _memory(seen: Seen, told: Sequence[Told]) -> Memory:
    looks = [look for process in seen.processes for look in process.looks]
    does_not = Unmeasured(f"{seen.runner.name} does not say")
    longest = max(seen.processes, key=lambda process: len(process.looks))
    own = [one.peak_rss_bytes for one in told if one.peak_rss_bytes is not None]
    peak: Reading = _at_least([look.hwm or look.rss for look in looks])
    if own:
        peak = Measured(float(max(own)), n=len(own), how=f"peak working set size, as {seen.runner.name} says it")
    return Memory(
        peak_rss_bytes=peak,
        peak_anon_bytes=_at_least([look.anon for look in looks]),
        peak_file_bytes=_at_least([look.file for look in looks]),
        peak_pss_bytes=does_not,
        baseline_rss_bytes=does_not,
        timeline=thinned(longest.timeline()),
        fit_bytes=does_not,
        major_faults=does_not,
        gpu_bytes=does_not,
    )


def _at_least(seen: Sequence[int | None]) -> Unmeasured:
    """What looks from outside show is no peak: the process may have taken more after the last of them."""
    known = [value for value in seen if value is not None]
    if not known:
        return Unmeasured("this system does not show another process's memory")
    looked = f"{len(known)} looks from outside, every {LOOK_EVERY_S:g} s"
    return Unmeasured(f"at least {max(known) / 2**20:,.0f} MiB: {looked}, do not show the peak")
