"""Why a run of the native runner on a device came to nothing, in words that someone can act on."""

from __future__ import annotations

import signal

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.plain import plain
from edgeshrink.devices.cpu import ARM_FEATURES, X86_FEATURES
from edgeshrink.errors import DeviceError, DeviceLost, Error, NoSpace, RuntimeFailed
from edgeshrink.measure.device.bench import Ended
from edgeshrink.measure.device.events import Failed, MemoryRow, Missing
from edgeshrink.toolchain.runner.build import BuiltRunner

_MISSING, _DEADLINE, _ALONE = 3, 4, 5
"""Exit codes of the runner: a processor without what it was built for, its deadline, stdin gone."""
_CANNOT_RUN, _NOT_FOUND = 126, 127
_NEVER_BEGAN = ("Exec format error", "ld-linux")
"""What a kernel, or an emulator in its place, says of a file for another machine, and of one whose loader is absent."""
_SHELL_SIGNAL, _LAST_SIGNAL = 128, 64
_QUOTED_LINES = 6
_QUOTED_CHARACTERS = 600


def explain(ended: Ended, device: ProbedDevice, runner: BuiltRunner, *, doing: str) -> Error:
    """The error of a run that did not come to its end; `doing` says what it was at ("measuring")."""
    where = device.address
    if ended.done is None:
        why = f": {ended.lost.message}" if ended.lost is not None else ""
        hint = ended.lost.hint if ended.lost is not None else ""
        return DeviceLost(f"the link to {where} was lost while {doing}{why}", hint=hint)
    status, words = ended.done.status, _last_words(ended.done.stderr)
    if missing := ended.record.first(Missing):
        return _wrong_cpu(where, missing.features)
    if failed := ended.record.first(Failed):
        return _refused(where, failed, words)
    if "No space left on device" in words:
        return NoSpace(f"{where} is full: the runner could not go on while {doing}", hint="free some space there")
    if status == _DEADLINE:
        return DeviceError(
            f"{where} did not come to an end while {doing}", hint="fewer --repetitions, or a smaller artifact"
        )
    if status == _ALONE:
        return DeviceLost(f"the link to {where} was lost while {doing}: the runner there saw its end and left")
    if status in (_CANNOT_RUN, _NOT_FOUND) or any(sign in words for sign in _NEVER_BEGAN):
        return _not_started(device, runner, words)
    if _SHELL_SIGNAL < status <= _SHELL_SIGNAL + _LAST_SIGNAL:
        return _killed(status - _SHELL_SIGNAL, ended, device, runner, doing, words)
    if status == 0:
        return DeviceError(f"the runner on {where} left before its end while {doing}", hint=words)
    return RuntimeFailed(f"the runner on {where} ended with status {status} while {doing}", hint=words)


def refuse_wrong_cpu(device: ProbedDevice, runner: BuiltRunner) -> None:
    """DeviceError where the build needs what the probed processor has not, before anything is sent there."""
    known = {*X86_FEATURES, *ARM_FEATURES}  # a probe shows no others
    missing = tuple(name for name in runner.platform.required if name in known and name not in device.cpu_features)
    if missing and device.cpu_features:
        raise _wrong_cpu(device.address, missing)


def _wrong_cpu(where: str, features: tuple[str, ...]) -> DeviceError:
    return DeviceError(
        f"this build of the runner needs {' and '.join(features)}, which the processor of {where} has not",
        hint="let edgeshrink choose the build by what it probes; EDGESHRINK_RUNNERS may hold one for another device",
    )


def _refused(where: str, failed: Failed, words: str) -> Error:
    if failed.code == "memory":
        return RuntimeFailed(
            f"{where} has not enough memory: {failed.what}", hint="a smaller scheme, or a shorter --context"
        )
    return RuntimeFailed(f"llama.cpp on {where} refused ({failed.code}): {failed.what}", hint=words)


def _not_started(device: ProbedDevice, runner: BuiltRunner, words: str) -> DeviceError:
    built = f"{runner.platform.system} {runner.platform.machine}"
    if device.system == "android" and runner.platform.system != "android" and "ormat" not in words:
        return DeviceError(
            f"{device.address} could not start the runner ({built}): Android has no glibc and not its loader",
            hint=f"the runner must be linked statically, or with the NDK; the device said: {words}",
        )
    return DeviceError(
        f"{device.address} ({device.machine}) could not start the runner, which is built for {built}",
        hint=f"the device said: {words}",
    )


def _killed(number: int, ended: Ended, device: ProbedDevice, runner: BuiltRunner, doing: str, words: str) -> Error:
    where = device.address
    if number == signal.SIGILL:
        needs = " or ".join(runner.platform.required) or "an instruction"
        return DeviceError(
            f"the runner on {where} died of an illegal instruction (SIGILL): this build needs {needs}, "
            f"the processor ({device.cpu}) has it not",
            hint="the device does not have what its probe said, or EDGESHRINK_RUNNERS holds another device's build",
        )
    if number == 9:  # SIGKILL, which Windows does not name
        return RuntimeFailed(
            f"the runner on {where} was killed while {doing}, most likely by its out-of-memory killer: {_seen(ended)}, "
            f"{_mib(device.available_bytes)} were available before",
            hint="a smaller scheme, or a shorter --context",
        )
    if number == 11 and device.page_bytes > 4096:
        return RuntimeFailed(
            f"the runner on {where} crashed (SIGSEGV) while {doing}; its pages are {device.page_bytes // 1024} KiB",
            hint=f"a build linked for smaller pages crashes so; {words}",
        )
    if number == 7:
        return RuntimeFailed(
            f"the runner on {where} could not read a page of the model (SIGBUS) while {doing}",
            hint="its storage failed, or the file was cut while it was in use",
        )
    return RuntimeFailed(f"the runner on {where} died of {_signal(number)} while {doing}", hint=words)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _seen(ended: Ended) -> str:
    rows = ended.record.all(MemoryRow)
    if not rows:
        return "it had not yet loaded the model"
    return f"its peak was {_mib(max(max(row.hwm, row.rss) for row in rows))} when it last looked"


def _mib(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"


def _last_words(stderr: str) -> str:
    lines = [plain(line).strip() for line in stderr.splitlines()]
    said = "; ".join([line for line in lines if line][-_QUOTED_LINES:])
    return said[-_QUOTED_CHARACTERS:] or "it said nothing"
