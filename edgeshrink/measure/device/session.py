"""One measuring session on a device: bring the runner and the model there, rest, time, and leave nothing behind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from edgeshrink.core.device import Probe, ProbedDevice
from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.core.measurement import HostState, Measurements
from edgeshrink.core.reading import Reading, Unmeasured
from edgeshrink.core.session import CoolDown, SessionOptions
from edgeshrink.devices.cpu import default_threads
from edgeshrink.devices.device_state import device_state
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.devices.workspace import open_workspace
from edgeshrink.errors import DeviceLost
from edgeshrink.measure.assembly import SLEPT
from edgeshrink.measure.device import gpu_memory, parity
from edgeshrink.measure.device.bench import SHORT_SILENCE_S, Ended, Placed
from edgeshrink.measure.device.beside import Beside, DeviceClock
from edgeshrink.measure.device.cool_down import cool_down
from edgeshrink.measure.device.events import Decode, Event, Greedy, Hello, Loaded, Prefill, Stretch
from edgeshrink.measure.device.faults import explain, refuse_wrong_cpu
from edgeshrink.measure.device.placing import POLITE, put_artifact, put_runner, put_text, starter
from edgeshrink.measure.device.record import Record
from edgeshrink.measure.device.sampling import Sampled, plan_sampling
from edgeshrink.measure.device.schedule import LOADS, Schedule, schedule, threads_for
from edgeshrink.measure.device.telling import Seen, measurements
from edgeshrink.measure.files import artifact_bytes
from edgeshrink.measure.power.interface import RawSample
from edgeshrink.toolchain.runner.build import BuiltRunner

_LOADS_DEADLINE_S = 1800.0
_PARITY_DEADLINE_S = 900.0


def measure_on_device(
    transport: Transport,
    probe: Probe,
    runner: BuiltRunner,
    artifact: Path,
    *,
    sha256: str,
    context: int,
    threads: int | None = None,
    gpu_layers: int = 0,
    prompt_tokens: tuple[int, ...],
    power_sources: tuple[str, ...] = (),
    options: SessionOptions,
    leftovers: Path,
    listener: Listener = silent,
) -> Measurements:
    """Measure the GGUF `artifact` on the device at the other end of `transport`, with the native `runner`.

    `probe` was taken with `sampling.globs` and `sampling.commands` of the `power_sources`. The first of
    `prompt_tokens` is the one that matters (the budget's). `threads` None: see `threads_for`. `leftovers`: see
    `open_workspace`.

    A session that ended early after something was timed (the link was lost, the system killed the runner, its deadline
    came) gives what there is, with `partial` saying why. Before that it raises: DeviceError, DeviceLost, NoSpace, or
    RuntimeFailed where llama.cpp refuses the file or dies. What no runner says raises DeviceError at any time.
    """
    refuse_wrong_cpu(probe.device, runner)
    sampled = plan_sampling(probe, power_sources, sustained=options.sustain_s > 0)
    plan = schedule(options, prompt_tokens, context, power=sampled.plan)
    threads = threads or threads_for(probe.device)
    with open_workspace(transport, keep=options.keep, leftovers=leftovers, listener=listener) as workspace:
        placed = Placed(
            workspace=workspace,
            runner=put_runner(workspace, runner, listener),
            model=put_artifact(workspace, artifact, sha256, "model.gguf", listener),
            text=put_text(workspace, max(*plan.lengths, *plan.depths, 32), listener),
            context=context,
            threads=threads,
            gpu_layers=gpu_layers,
            mapped=options.mapped,
            starter=starter(transport.address),
        )
        seen = _Session(transport, probe.device, runner, placed, plan, sampled, artifact, listener).hold(
            options.cool_down
        )
    if workspace.left_behind:
        seen = replace(seen, notes=(*seen.notes, workspace.left_behind))
    return measurements(
        seen,
        plan,
        prompt_tokens,
        long=options.sustain_s > 0,
        sha256=sha256,
        nbytes=artifact_bytes(artifact),
        context=context,
        threads=threads,
    )


@dataclass(frozen=True, slots=True)
class _Session:
    """What every part of one session needs."""

    transport: Transport
    device: ProbedDevice
    runner: BuiltRunner
    placed: Placed
    plan: Schedule
    sampled: Sampled
    artifact: Path
    listener: Listener

    def hold(self, wish: CoolDown) -> Seen:
        notes = list(cool_down(wish, lambda: device_state(self.transport).temperature_c, self.listener))
        before = device_state(self.transport)
        taken_at = datetime.now(UTC).isoformat(timespec="seconds")
        watch = _Watch(self.listener, f"measure {self.artifact.name} on {self.device.address}", self.plan.steps)
        # Before the loads, whose heat would be in the rest that the idle power is taken from.
        bench = self._bench(watch)
        partial = ""
        if not bench.ended.whole:
            doing = "measuring" if bench.ended.record.first(Loaded) else "loading the model"
            early = explain(bench.ended, self.device, self.runner, doing=doing)
            if not bench.ended.begun:
                raise early
            partial = early.message
        rest = self._afterwards(bench.ended, partial)
        if self.placed.starter == POLITE:
            notes.append(SLEPT)
        if self.sampled.plan is not None:
            notes += [f"power: {said}" for said in (*self.sampled.plan.notes, bench.trouble) if said]
        watch.finish()
        return Seen(
            device=self.device,
            taken_at=taken_at,
            before=before,
            after=rest.after,
            loads=rest.loads,
            no_loads=rest.no_loads,
            bench=bench.ended.record,
            sampled=self.sampled,
            lines=bench.lines,
            gpu=bench.gpu,
            parity=rest.parity,
            partial=rest.partial,
            notes=tuple(notes),
        )

    def _bench(self, watch: _Watch) -> _Benched:
        clock = DeviceClock()

        def see(event: Event) -> None:
            if isinstance(event, Hello):
                clock.set(event.t)
            watch(event)

        deadline_s = self.plan.deadline_s(artifact_bytes(self.artifact))
        gpu_watch = gpu_memory.watch_command(self.device, self.placed.gpu_layers)
        workspace, limit_s = self.placed.workspace, deadline_s + 60
        with (
            Beside(workspace, self.sampled.command, name="power", clock=clock, timeout_s=limit_s) as power,
            Beside(workspace, gpu_watch, name="gpu", clock=clock, timeout_s=limit_s) as gpu,
        ):
            arguments = self.plan.arguments(self.sampled)
            ended = self.placed.run("bench", *arguments, deadline_s=deadline_s, silence_s=SHORT_SILENCE_S, on_event=see)
        hello, loaded = ended.record.first(Hello), ended.record.first(Loaded)
        share = gpu_memory.gpu_reading(
            gpu.samples,
            hello.pid if hello else 0,
            on_gpu=loaded is not None and loaded.gpu_layers > 0,
            watched=bool(gpu_watch),
        )
        return _Benched(ended, tuple(power.samples), power.trouble, share)

    def _afterwards(self, bench: Ended, partial: str) -> _Rest:
        if bench.lost is not None:
            return _Rest(_unknown_state(partial), Unmeasured(partial), partial)
        after: HostState | None = None
        parity: Reading | None = None
        loads: Ended | None = None
        try:
            after = device_state(self.transport)
            if partial:
                return _Rest(after, Unmeasured(f"the session ended early: {partial}"), partial)
            parity = self._parity()
            loads = self.placed.run("loads", "--count", str(LOADS), deadline_s=_LOADS_DEADLINE_S)
            if loads.lost is not None:
                raise loads.lost
            why = "" if loads.whole else explain(loads, self.device, self.runner, doing="loading the model").message
            return _Rest(after, parity, "", loads.record, why)
        except DeviceLost as lost:
            why = f"the link to {self.device.address} was lost after measuring: {lost.message}"
            done = loads.record if loads else None
            return _Rest(after or _unknown_state(why), parity or Unmeasured(why), partial or why, done, why)

    def _parity(self) -> Reading:
        """Unmeasured where the runner did not come to its end; DeviceLost where the link broke."""
        room = self.placed.context
        prompt, count = min(parity.PROMPT_TOKENS, max(1, room // 2)), min(parity.COUNT, max(1, room // 2))
        ended = self.placed.run(
            "greedy", "--prompt-tokens", str(prompt), "--count", str(count), deadline_s=_PARITY_DEADLINE_S
        )
        if ended.lost is not None:
            raise ended.lost
        if not ended.whole:
            return Unmeasured(explain(ended, self.device, self.runner, doing="decoding greedily").message)
        said = ended.record.needed(Greedy)
        return parity.parity_reading(self.artifact, said, context=room, threads=default_threads())


@dataclass(frozen=True, slots=True)
class _Rest:
    """What came after the timed part: the device's state, its greedy text against this host's, loads, and why the
    session ended early, if it did. `no_loads`: what stopped the loads."""

    after: HostState
    parity: Reading
    partial: str
    loads: Record | None = None
    no_loads: str = ""


@dataclass(frozen=True, slots=True)
class _Benched:
    """`lines` and `trouble`: of a power source that is a program. `gpu`: the GPU's share of the memory."""

    ended: Ended
    lines: tuple[RawSample, ...]
    trouble: str
    gpu: Reading


class _Watch:
    """Turns the runner's events into progress."""

    def __init__(self, listener: Listener, task: str, total: int) -> None:
        self._listener, self._task, self._total = listener, task, float(total)
        self._done = 0.0
        listener(Progress(task, 0, self._total, "repetitions"))

    def __call__(self, event: Event) -> None:
        if isinstance(event, Prefill | Decode):
            self._done = min(self._done + 1, self._total)
            self._listener(Progress(self._task, self._done, self._total, "repetitions"))
        elif isinstance(event, Stretch):
            self._listener(Progress(f"{self._task}: sustained", self._done, self._total, "repetitions"))

    def finish(self) -> None:
        self._listener(Progress(self._task, self._total, self._total, "repetitions"))


def _unknown_state(why: str) -> HostState:
    nothing = Unmeasured(why)
    return HostState(nothing, nothing, f"unknown: {why}", nothing, nothing)
