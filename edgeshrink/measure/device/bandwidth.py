"""How fast a device reads its memory: predictions for it stand on that."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.core.events import Listener, Progress
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.devices.workspace import open_workspace
from edgeshrink.measure.device.bench import run_runner
from edgeshrink.measure.device.events import Bandwidth
from edgeshrink.measure.device.faults import explain, refuse_wrong_cpu
from edgeshrink.measure.device.placing import put_runner
from edgeshrink.toolchain.runner.build import BuiltRunner

_TASK = "time the memory"
_DEADLINE_S = 300.0
_MOST_MIB = 256
_SHARE_OF_FREE = 4
"""A quarter of what is available at most, so that timing it makes no room by force."""


def bandwidth_on_device(
    transport: Transport,
    runner: BuiltRunner,
    *,
    threads: int,
    leftovers: Path,
    listener: Listener,
) -> float:
    """Bytes a second that `threads` read together. As `measure_on_device`, it leaves the device as it was."""
    device = transport.probe().device
    refuse_wrong_cpu(device, runner)
    mib = max(16, min(_MOST_MIB, device.available_bytes // _SHARE_OF_FREE >> 20))
    listener(Progress(_TASK, 0, 1))
    with open_workspace(transport, keep=False, leftovers=leftovers, listener=listener) as workspace:
        program = put_runner(workspace, runner, listener)
        argv = [program, "bandwidth", "--threads", str(threads), "--megabytes", str(mib)]
        ended = run_runner(
            workspace, [*argv, "--deadline-s", f"{_DEADLINE_S:.0f}", "--hold-stdin"], deadline_s=_DEADLINE_S
        )
    if not ended.whole:
        raise explain(ended, device, runner, doing="timing its memory")
    listener(Progress(_TASK, 1, 1))
    return ended.record.needed(Bandwidth).bytes_s
