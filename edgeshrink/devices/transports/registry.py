"""From an address to the transport that reaches it."""

from __future__ import annotations

from collections.abc import Callable

from edgeshrink.core.device import Address
from edgeshrink.devices.transports.adb import AdbTransport
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.devices.transports.local import LocalTransport
from edgeshrink.devices.transports.ssh import SshTransport


def _nobody(_: str) -> None:
    """Nobody waits in front of the screen."""


def open_transport(address: Address, *, say: Callable[[str], None] = _nobody) -> Transport:
    """The open link to `address`. `say` gets a sentence where the person has something to do meanwhile.

    ToolMissing: no ssh, no adb. DeviceLost: it does not answer. DeviceError: it refuses; the hint says what to do.
    """
    match address.kind:
        case "local":
            return LocalTransport()
        case "ssh":
            return SshTransport(address)
        case "adb":
            return AdbTransport(address, say=say)
