"""How a session on a device is to be held: what the command line may ask for beyond the budget's own needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CoolDown:
    """Wait before measuring: until no sensor is hotter than `celsius`, or for `seconds`. Both None: do not wait."""

    celsius: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """`depths`: tokens already in the context when decode is timed, beside the budget's prompt length.

    `sustain_s`: decode on for so long afterwards and watch speed and temperature. `idle_s`: seconds of rest from which
    the idle power is taken, where there is a power source. `keep`: leave runner and model on the device for next time.
    """

    repetitions: int = 5
    prompt_tokens: tuple[int, ...] = ()
    depths: tuple[int, ...] = ()
    decode_tokens: int = 128
    cool_down: CoolDown = CoolDown()
    sustain_s: float = 0.0
    idle_s: float = 5.0
    keep: bool = False
    python: str | None = None
    """A Python on the device that has the pinned runtimes, for ONNX and .pte; None: looked for."""
    mapped: bool = True
    """Weights mapped from the file, as an app does; False: read into memory."""
    vendor_runner: str | None = None
    """A ready runner of the runtime's own project, for ONNX and .pte: a file here, or `device:PATH`; None: no such."""
