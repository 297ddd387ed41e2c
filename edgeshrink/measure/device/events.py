"""What the native runner says: one JSON object a line. It comes from a device, so every field is bounded and checked.

`t`, `start` and `end` are seconds on the device's clock since boot (CLOCK_BOOTTIME, as /proc/uptime); times are in
milliseconds, memory in bytes. The XCTest of an exported Swift package writes the same lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from edgeshrink.core.plain import plain

MOST_STEPS = 100_000
_Text = Annotated[str, Field(max_length=4096), AfterValidator(plain)]
_Word = Annotated[str, Field(max_length=256), AfterValidator(plain)]
_Words = Annotated[tuple[_Word, ...], Field(max_length=256)]
_Count = Annotated[int, Field(ge=0, le=1 << 40)]
_Lengths = Annotated[tuple[_Count, ...], Field(max_length=256)]
_Bytes = Annotated[int, Field(ge=0, le=1 << 50)]
_Token = Annotated[int, Field(ge=0, le=1 << 31)]
_Seconds = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
_Start = Annotated[_Seconds, Field(alias="from")]
_End = Annotated[_Seconds, Field(alias="to")]
_Ms = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
_PositiveMs = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
_Rate = Annotated[float, Field(gt=0, le=1e15, allow_inf_nan=False)]
_Faults = Annotated[int, Field(ge=-1, le=1 << 50)]
"""Pages that came from storage; -1: not counted."""
_Ids = Annotated[tuple[_Token, ...], Field(max_length=MOST_STEPS)]


@dataclass(frozen=True, slots=True)
class Planned:
    """What a measuring test was asked to time, as its package holds it."""

    context: _Count
    prompt_tokens: _Lengths
    depths: Annotated[_Lengths, Field(min_length=1)]
    decode_tokens: Annotated[_Count, Field(ge=1)]
    repetitions: Annotated[_Count, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class Hello:
    """The first line. `features`: instruction sets that this build's kernels use."""

    protocol: _Count
    build: _Word
    llama: _Word
    features: _Words
    page_bytes: _Count
    pid: _Count
    t: _Seconds
    system_info: _Text = ""
    artifact: _Word = ""
    """sha256 of the model, where the file with these lines travels without it."""
    plan: Planned | None = None
    """Of a measuring test."""


@dataclass(frozen=True, slots=True)
class Described:
    """What the device of a measuring test says of itself, before and after: nobody can ask it from outside."""

    system: _Word
    os: _Word
    model: _Word
    cores: _Count
    ram_bytes: _Bytes
    page_bytes: _Count
    thermal: _Word
    simulator: bool = False
    low_power_mode: bool = False
    battery_status: _Word = ""
    battery_percent: Annotated[int, Field(ge=0, le=100)] | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """What this build was compiled for and the processor has not; nothing ran."""

    features: _Words


@dataclass(frozen=True, slots=True)
class Loaded:
    """`backend`: what really computes. `buffers`: weight bytes by llama.cpp's name of where they lie."""

    ms: _Ms
    model_bytes: _Bytes
    context: _Count
    vocab: _Count
    backend: _Word
    gpu_layers: Annotated[int, Field(ge=-1, le=1 << 20)]
    threads: _Count
    mapped: bool
    parameters: _Count = 0
    devices: _Words = ()
    buffers: Annotated[dict[_Word, _Bytes], Field(max_length=64)] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prompt:
    ids: _Ids
    origin: _Word


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """The runner's own /proc/self/status. -1 of a field: the system does not show it."""

    phase: Literal["start", "loaded", "prefill", "decode", "sustained", "end"]
    t: _Seconds
    hwm: Annotated[int, Field(ge=-1, le=1 << 50)]
    rss: Annotated[int, Field(ge=-1, le=1 << 50)]
    anon: Annotated[int, Field(ge=-1, le=1 << 50)]
    file: Annotated[int, Field(ge=-1, le=1 << 50)]
    shmem: Annotated[int, Field(ge=-1, le=1 << 50)] = 0
    majflt: _Faults = -1
    minflt: Annotated[int, Field(ge=-1, le=1 << 50)] = -1


@dataclass(frozen=True, slots=True)
class Idle:
    """Rest before the model was loaded."""

    start: _Start
    end: _End


@dataclass(frozen=True, slots=True)
class Prefill:
    """One prompt from an empty context, until the first id is chosen."""

    tokens: _Count
    repetition: _Count
    start: _Start
    end: _End
    ms: _PositiveMs
    majflt: _Faults = -1


@dataclass(frozen=True, slots=True)
class Decode:
    """One repetition of decode with `depth` tokens in the context before."""

    depth: _Count
    repetition: _Count
    start: _Start
    end: _End
    steps_ms: Annotated[tuple[_PositiveMs, ...], Field(min_length=1, max_length=MOST_STEPS)]
    majflt: _Faults = -1


@dataclass(frozen=True, slots=True)
class Stretch:
    """About a second of a long decode."""

    start: _Start
    end: _End
    tokens: _Count


@dataclass(frozen=True, slots=True)
class Sample:
    """The raw text of each `--sample` file at `t`; None: it could not be read."""

    t: _Seconds
    v: Annotated[tuple[Annotated[str, Field(max_length=256)] | None, ...], Field(max_length=256)]


@dataclass(frozen=True, slots=True)
class CpuUse:
    """CPU seconds over the timed part: the runner's, and the whole machine's (-1: not shown)."""

    start: _Start
    end: _End
    own_s: Annotated[float, Field(ge=-1, le=1e11, allow_inf_nan=False)]
    all_s: Annotated[float, Field(ge=-1, le=1e11, allow_inf_nan=False)]
    cpus: _Count


@dataclass(frozen=True, slots=True)
class Load:
    """From a path to the first computed token. `stayed`: share of the file still cached before a cold one."""

    cold: bool
    ms: _PositiveMs
    stayed: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None


@dataclass(frozen=True, slots=True)
class Greedy:
    prompt: _Ids
    ids: _Ids
    text: Annotated[str, Field(max_length=1 << 20), AfterValidator(plain)] = ""


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Bytes a second that all threads together read from memory."""

    bytes_s: _Rate
    threads: _Count
    runs: Annotated[tuple[_Rate, ...], Field(max_length=1000)] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """A word on how something was done, for whoever reads the figures."""

    what: _Text


@dataclass(frozen=True, slots=True)
class Failed:
    """The runner's own refusal."""

    code: _Word
    what: _Text


@dataclass(frozen=True, slots=True)
class End:
    """The last line of a whole run."""

    t: _Seconds


Event = (
    Hello | Described | Missing | Loaded | Prompt | MemoryRow | Idle | Prefill | Decode | Stretch | Sample | CpuUse
    | Load | Greedy | Bandwidth | Note | Failed | End
)  # fmt: skip
NAMES: dict[str, type[Event]] = {
    "hello": Hello, "device": Described, "missing": Missing, "loaded": Loaded, "prompt": Prompt, "memory": MemoryRow,
    "idle": Idle, "prefill": Prefill, "decode": Decode, "sustained": Stretch, "sample": Sample, "cpu": CpuUse,
    "load": Load, "greedy": Greedy, "bandwidth": Bandwidth, "note": Note, "error": Failed, "end": End,
}  # fmt: skip
"""Events by the name they have in a line; others are ignored."""
