"""Measure an ONNX model or a .pte on a device through a vendor's ready runner."""

from __future__ import annotations

import hashlib
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.core.measurement import Measurements, RuntimeFacts
from edgeshrink.core.session import SessionOptions
from edgeshrink.devices.device_state import device_state
from edgeshrink.devices.transports.interface import Done, Transport
from edgeshrink.devices.transports.shell import last_words
from edgeshrink.devices.workspace import Workspace, open_workspace
from edgeshrink.errors import DeviceError, Error, RuntimeFailed
from edgeshrink.measure.device.bench import Ended
from edgeshrink.measure.device.bringing import bring
from edgeshrink.measure.device.cool_down import cool_down
from edgeshrink.measure.device.faults import explain
from edgeshrink.measure.device.record import Record
from edgeshrink.measure.device.schedule import TOP_UP_S, threads_for
from edgeshrink.measure.device.vendor import registry
from edgeshrink.measure.device.vendor.interface import Told, VendorRunner, Work
from edgeshrink.measure.device.vendor.program import (
    VendorProgram,
    as_built,
    check_program,
    is_script,
    put_program,
)
from edgeshrink.measure.device.vendor.prompt import prompt_of
from edgeshrink.measure.device.vendor.telling import Seen, measurements
from edgeshrink.measure.device.vendor.watched import Watched, run_watched
from edgeshrink.measure.files import artifact_bytes, artifact_files
from edgeshrink.measure.latency import LEAST_REPETITIONS
from edgeshrink.measure.statistics import SAMPLES_NEEDED

# Its libraries may lie beside it.
_BESIDE = 'LD_LIBRARY_PATH=$1${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}; export LD_LIBRARY_PATH; shift; exec "$@"'
_PROCESS_S = 3600.0
_HELP_BYTES = 1 << 20
_KILLED = 137
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tokenizer.bin")
_STOPPED_BY_LINKER = "CANNOT LINK EXECUTABLE"


def measure_with_vendor(
    transport: Transport,
    device: ProbedDevice,
    artifact: Path,
    program: VendorProgram,
    *,
    sha256: str,
    format: str,
    network: bool,
    delegate: str,
    context: int,
    threads: int | None,
    prompt_tokens: tuple[int, ...],
    options: SessionOptions,
    leftovers: Path,
    listener: Listener = silent,
) -> Measurements:
    """One session of `artifact` (a file or a folder) there: a process a prompt length, or one a sample.

    `program` is `identified`. What computed, a vendor's runner does not say: the backend is "unknown".
    DeviceError where the program is none that edgeshrink knows, does not start there or is killed; RuntimeFailed
    where it fails or does not print its figures; DeviceLost, NoSpace.
    """
    check_program(program, device)
    repetitions = max(LEAST_REPETITIONS, options.repetitions)
    threads = threads or threads_for(device)
    with open_workspace(transport, keep=options.keep, leftovers=leftovers, listener=listener) as workspace:
        there = put_program(workspace, program, listener)
        session = _Session(workspace, device, program, there, listener)
        help = session.help()
        runner = registry.known(program.name, help)
        if runner is None:
            raise registry.unknown(program.name, last_words(help))
        registry.check_fit(runner, format, network=network)
        work = Work(
            program=there,
            model=_model(runner, artifact, bring(workspace, artifact, listener)),
            help=help,
            threads=threads,
            repetitions=max(repetitions, SAMPLES_NEEDED[99]) if network else repetitions,
            delegate=delegate,
            decode_tokens=options.decode_tokens,
        )
        notes = list(cool_down(options.cool_down, lambda: device_state(transport).temperature_c, listener))
        before, taken_at = device_state(transport), datetime.now(UTC).isoformat(timespec="seconds")
        if network:
            told = {0: session.repeated(runner, work, 1)}
        else:
            told = session.language(runner, work, artifact, prompt_tokens, context)
        after = device_state(transport)
    notes += [workspace.left_behind] if workspace.left_behind else []
    notes += [f"measured by {runner.name} ({program.place}), not by edgeshrink's own runner"]
    if is_script(program):
        notes += [f"{program.name} is a script: the memory is its shell's, unless it becomes the runner by exec"]
    notes += [f"the runner read {group[0].prompt_tokens} tokens where {asked} were asked for"
              for asked, group in told.items() if asked and group[0].prompt_tokens != asked]  # fmt: skip
    seen = Seen(
        device=device,
        runner=runner,
        runtime=RuntimeFacts(
            name=format,
            version=f"of {runner.name}",
            build_id=program.sha256,
            backend="unknown",
            cpu_features=(),
            threads=threads,
            gpu_layers=0,
            context=context,
        ),
        taken_at=taken_at,
        before=before,
        after=after,
        told=told,
        processes=session.processes,
        notes=tuple(notes),
    )
    nbytes = artifact_bytes(artifact)
    return measurements(seen, prompt_tokens, sha256=sha256, nbytes=nbytes, repetitions=repetitions, context=context)


class _Session:
    """The program on the device, and every process of it so far."""

    def __init__(
        self, workspace: Workspace, device: ProbedDevice, program: VendorProgram, there: str, listener: Listener
    ) -> None:
        self._workspace = workspace
        self._device = device
        self._program = program
        self._listener = listener
        # What it writes is to go with the workspace, and nobody is to be told.
        here = (f"TMPDIR={workspace.folder}", f"XDG_CACHE_HOME={workspace.folder}/cache", "ORT_DISABLE_TELEMETRY=1")
        self._within = ("env", *here, "sh", "-c", _BESIDE, "sh", there.rpartition("/")[0])
        self._there = there
        self.processes: list[Watched] = []

    def help(self) -> str:
        """What it says of its flags. The error of a program that does not start there."""
        done = self._workspace.run((*self._within, self._there, "--help"), timeout_s=60, limit_bytes=_HELP_BYTES)
        said = f"{done.stdout}\n{done.stderr}"
        if done.status >= 126 or _STOPPED_BY_LINKER in said:
            raise self._fault(Watched(done.status, said, ()))
        return said.strip()

    def language(
        self, runner: VendorRunner, work: Work, artifact: Path, lengths: tuple[int, ...], context: int
    ) -> dict[int, list[Told]]:
        """For each length that fits. A runner that does not repeat gets a process a sample, for the first length as
        many as its p95 needs, where they fit the time."""
        fitting = [length for length in dict.fromkeys(lengths) if 0 < length < context]
        if not fitting:
            raise DeviceError(
                f"no prompt of {', '.join(map(str, lengths))} tokens fits a context of {context}",
                hint="a longer --context, or a shorter --prompt-tokens",
            )
        folder = artifact if artifact.is_dir() else artifact.parent
        told: dict[int, list[Told]] = {}
        for length in fitting:
            one = self._prompted(work, folder, length, context)
            told[length] = self.repeated(runner, one, 1 if runner.repeats else work.repetitions)
            if length == fitting[0] and not runner.repeats:
                told[length] += self._topped_up(runner, one, len(told[length]))
        return told

    def repeated(self, runner: VendorRunner, work: Work, count: int) -> list[Told]:
        return [self._once(runner, work, index, count) for index in range(count)]

    def _topped_up(self, runner: VendorRunner, work: Work, done: int) -> list[Told]:
        more: list[Told] = []
        wanted = SAMPLES_NEEDED[95]
        end = time.monotonic() + TOP_UP_S
        while done + len(more) < wanted and time.monotonic() < end:
            more.append(self._once(runner, work, done + len(more), wanted))
        return more

    def _once(self, runner: VendorRunner, work: Work, index: int, count: int) -> Told:
        task = f"measure {Path(work.model).name} by {runner.name} on {self._device.address}"
        self._listener(Progress(task, index, count, "processes"))
        seen = run_watched(self._workspace, (*self._within, *runner.argv(work)), timeout_s=_PROCESS_S)
        self.processes.append(seen)
        if seen.status != 0:
            raise self._fault(seen)
        told = runner.parse(seen.said)
        self._listener(Progress(task, index + 1, count, "processes"))
        return told

    def _prompted(self, work: Work, folder: Path, tokens: int, context: int) -> Work:
        text = prompt_of(folder, tokens)
        with tempfile.TemporaryDirectory(prefix="edgeshrink-") as scratch:
            file = Path(scratch) / "prompt.txt"
            file.write_text(text, encoding="utf-8")
            digest = hashlib.sha256(text.encode()).hexdigest()
            there = self._workspace.put(file, sha256=digest, name=f"prompt-{tokens}.txt")
        tokenizer = next((name for name in _TOKENIZERS if (folder / name).is_file()), "")
        beside = work.model.rpartition("/")[0]
        return replace(
            work,
            prompt=text,
            prompt_file=there,
            prompt_tokens=tokens,
            decode_tokens=min(work.decode_tokens, context - tokens),
            tokenizer=f"{beside}/{tokenizer}" if tokenizer else "",
        )

    def _fault(self, seen: Watched) -> Error:
        if seen.status == _KILLED and seen.looks:
            peak = (seen.peak_rss or 0) / 2**20
            return RuntimeFailed(
                f"{self._program.name} on {self._device.address} was killed, most likely by its out-of-memory killer: "
                f"its peak was {peak:,.0f} MiB when it was last looked at",
                hint="a smaller scheme, or a shorter --context",
            )
        status = 127 if _STOPPED_BY_LINKER in seen.said else seen.status
        ended = Ended(Record(), Done(status, "", seen.said))
        return explain(ended, self._device, as_built(self._program, self._device), doing="measuring")


def _model(runner: VendorRunner, artifact: Path, there: str) -> str:
    """The path that the runner takes: the file itself, or for genai the folder."""
    if artifact.is_file() or runner.format == "onnx":
        return there
    inside = next(file for file in artifact_files(artifact) if file.suffix == ".pte")
    return f"{there}/{inside.relative_to(artifact).as_posix()}"
