"""Ask a device what it is, in one round trip."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from edgeshrink.core.device import Address, Probe
from edgeshrink.devices.cpu import APPLE_FEATURES
from edgeshrink.devices.probing.parse import parse
from edgeshrink.devices.probing.script import SYSCTLS, probe_script
from edgeshrink.devices.probing.sections import clean
from edgeshrink.devices.transports.interface import Done
from edgeshrink.errors import DeviceError

_ANSWER_LIMIT = 8 << 20
_TIMEOUT_S = 60.0


def probe(run: Callable[..., Done], address: Address, globs: Sequence[str] = (), commands: Sequence[str] = ()) -> Probe:
    """What answers at `address`, the text of the small files that match `globs`, and where `commands` are.

    `run` is a transport's. DeviceError where the answer is not whole, DeviceLost as `run` says; UsageError where a
    pattern or a name is more than a pattern or a name.
    """
    marker = secrets.token_hex(16)
    sysctls = (*SYSCTLS, *(f"hw.optional.arm.{name}" for name in APPLE_FEATURES))
    script = probe_script(marker, sysctls, globs, commands)
    done = run(("sh", "-c", script), timeout_s=_TIMEOUT_S, limit_bytes=_ANSWER_LIMIT)
    try:
        return parse(done.stdout, marker, str(address))
    except DeviceError as error:
        said = clean(done.stderr) or f"sh ended with status {done.status}"
        raise DeviceError(f"{address}: {error.message}: {said}", hint=error.hint) from error
