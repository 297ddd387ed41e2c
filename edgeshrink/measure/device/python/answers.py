"""What a session in a device's Python says, line by line: checked and made safe to show, never trusted."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

import edgeshrink.errors
from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.events import Listener, Progress
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.plain import plain
from edgeshrink.errors import DeviceError, Error

_MOST_LINES = 100_000
_LONGEST_TEXT = 4000


class Answers:
    """Takes the job's lines; `measured` is its result, once it has come. DeviceError; an Error that the job told."""

    def __init__(self, device: ProbedDevice, task: str, *, sha256: str, runtime: str, listener: Listener) -> None:
        """`sha256` and `runtime`: what was asked to be measured, and through what."""
        self.measured: Measurements | None = None
        self._device = device
        self._task = task
        self._asked = (sha256, runtime)
        self._listener = listener
        self._lines = 0

    def __call__(self, line: str) -> None:
        self._lines += 1
        if self._lines > _MOST_LINES:
            raise DeviceError(f"{self._device.address}: the session there said more than {_MOST_LINES:,} lines")
        try:
            message = _safe(from_json(line, allow_inf_nan=False))
            if "progress" in message:
                done, total, unit = message["progress"]
                self._listener(Progress(self._task, float(done), float(total), str(unit)))
                return
            if "error" in message:
                told = _rebuilt(message)
            else:
                self.measured = TypeAdapter(Measurements).validate_python(message["measurements"])
                if (self.measured.artifact_sha256, self.measured.runtime.name) == self._asked:
                    return
                told = DeviceError(f"{self._device.address}: the session there measured something else than was asked")
        except (ValueError, ValidationError, TypeError, KeyError, AttributeError) as error:
            raise DeviceError(
                f"{self._device.address}: the session's answer is not what it must be: {plain(line[:80])}"
            ) from error
        raise told


def _safe(value: Any) -> Any:
    """The same with every text bounded and without control characters: notes and names reach a terminal."""
    if isinstance(value, str):
        return plain(value[:_LONGEST_TEXT])
    if isinstance(value, list):
        return [_safe(entry) for entry in value]
    if isinstance(value, dict):
        return {plain(key): _safe(entry) for key, entry in value.items()}
    return value


def _rebuilt(message: dict[str, Any]) -> Error:
    kind = getattr(edgeshrink.errors, str(message["error"]), None)
    known = kind if isinstance(kind, type) and issubclass(kind, Error) else DeviceError
    return known(str(message["message"]), hint=str(message["hint"]))
