"""A device with an open link: reached and probed once, for as long as a session or a build needs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.core.device import Address, Probe, ProbedDevice
from edgeshrink.core.events import Listener, notice, silent
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.devices.transports.registry import open_transport
from edgeshrink.measure.device.sampling import commands, globs
from edgeshrink.measure.power.registry import READERS
from edgeshrink.store import store_root


@dataclass(frozen=True, slots=True)
class Attached:
    """`transport` is open; `probe` was taken when it was opened."""

    transport: Transport
    probe: Probe

    @property
    def device(self) -> ProbedDevice:
        return self.probe.device


def linked(address: Address, listener: Listener = silent) -> closing[Transport]:
    """The open link to `address`; what its user has to do meanwhile is a notice. DeviceError, ToolMissing."""
    return closing(open_transport(address, say=lambda sentence: listener(notice(sentence))))


@contextmanager
def attached(address: Address, listener: Listener = silent) -> Iterator[Attached]:
    """The device at `address`, probed with all that any power reader looks for. DeviceError, ToolMissing."""
    with linked(address, listener) as transport:
        yield Attached(transport, transport.probe(globs(tuple(READERS)), commands(tuple(READERS))))


def leftovers_folder() -> Path:
    """Where it is remembered what could not be taken off a device, until it answers again."""
    return store_root() / "leftovers"
