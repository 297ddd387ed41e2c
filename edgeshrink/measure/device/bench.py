"""The native runner in a workspace on the device: what it is called with, and what it said until it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeshrink.devices.transports.interface import Done
from edgeshrink.devices.workspace import Workspace
from edgeshrink.errors import DeviceLost
from edgeshrink.measure.device.events import Decode, End, Event, Prefill
from edgeshrink.measure.device.record import Record

LONG_SILENCE_S = 600.0
"""A large model takes so long to come from slow storage, and says nothing meanwhile."""
SHORT_SILENCE_S = 120.0
"""Where samples are taken every few seconds; a device that is short of memory may take minutes over one."""
_GRACE_S = 60.0
_OUTPUT_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Ended:
    """One run of the runner. `done` None: the link was `lost` before its end."""

    record: Record
    done: Done | None
    lost: DeviceLost | None = None

    @property
    def whole(self) -> bool:
        ended = self.done is not None and self.done.status == 0
        return ended and not self.record.torn and self.record.first(End) is not None

    @property
    def begun(self) -> bool:
        """Whether anything was timed."""
        return self.record.first(Prefill) is not None or self.record.first(Decode) is not None


@dataclass(frozen=True, slots=True)
class Placed:
    """Runner, model and text on the device, and how the model is to be opened. `text` "": there is none.

    `starter`: what the runner is started through (`placing.starter`).
    """

    workspace: Workspace
    runner: str
    model: str
    text: str
    context: int
    threads: int
    gpu_layers: int
    mapped: bool
    starter: tuple[str, ...] = ()

    def run(
        self,
        mode: str,
        *arguments: str,
        deadline_s: float,
        silence_s: float = LONG_SILENCE_S,
        on_event: Callable[[Event], None] = lambda _: None,
    ) -> Ended:
        """Run one mode. What was said until the link broke stands; DeviceError where it is not what a runner says."""
        argv = [*self.starter, self.runner, mode, "--model", self.model, "--context", str(self.context)]
        argv += ["--threads", str(self.threads), "--gpu-layers", str(self.gpu_layers)]
        argv += () if self.mapped else ("--no-mmap",)
        argv += ("--text", self.text) if self.text and mode != "loads" else ()
        argv += (*arguments, "--deadline-s", str(int(deadline_s)), "--hold-stdin")
        return run_runner(self.workspace, argv, deadline_s=deadline_s, silence_s=silence_s, on_event=on_event)


def run_runner(
    workspace: Workspace,
    argv: list[str],
    *,
    deadline_s: float,
    silence_s: float = LONG_SILENCE_S,
    on_event: Callable[[Event], None] = lambda _: None,
) -> Ended:
    """Run `argv` in the workspace and read its events as they come."""
    record = Record()

    def read(line: str) -> None:
        event = record.add(line)
        if event is not None:
            on_event(event)

    try:
        done = workspace.run(
            argv,
            hold_stdin=True,
            timeout_s=deadline_s + _GRACE_S,
            silence_s=silence_s,
            on_line=read,
            limit_bytes=_OUTPUT_BYTES,
        )
    except DeviceLost as lost:
        return Ended(record, None, lost)
    return Ended(record, done)
