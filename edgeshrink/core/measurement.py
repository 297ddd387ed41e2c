"""What one measuring session saw. Units stand in the names; what was not seen is Unmeasured and says why."""

from __future__ import annotations

from dataclasses import dataclass

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.power import PowerRecord
from edgeshrink.core.reading import Reading, Unmeasured


@dataclass(frozen=True, slots=True)
class RuntimeFacts:
    """What ran the artifact: `backend` is what really computed, not what was asked for."""

    name: str
    version: str
    build_id: str
    backend: str
    cpu_features: tuple[str, ...]
    threads: int
    gpu_layers: int
    context: int


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The machine a session ran on. `id` changes when another machine, or other hardware, is underneath."""

    id: str
    system: str
    cpu: str
    cores: int
    ram_bytes: int
    python: str


@dataclass(frozen=True, slots=True)
class HostState:
    """The host at one moment: what can make a figure wrong."""

    load_1min: Reading
    available_ram_bytes: Reading
    governor: str
    frequency_mhz: Reading
    temperature_c: Reading


@dataclass(frozen=True, slots=True)
class PrefillPoint:
    """Prefill at one prompt length, over all repetitions."""

    prompt_tokens: int
    ttft_p50_ms: Reading
    ttft_p95_ms: Reading
    prefill_tok_s: Reading
    ttft_samples_ms: tuple[float, ...]


NO_METER = Unmeasured("no power source was tried")


@dataclass(frozen=True, slots=True)
class InferencePoint:
    """One run of a network at one set of input shapes ("pixel_values 1x3x32x32"), over all repetitions."""

    shapes: str
    p50_ms: Reading
    p95_ms: Reading
    p99_ms: Reading
    samples_ms: tuple[float, ...]
    energy_mj: Reading = NO_METER
    """Energy of one run, millijoule."""


@dataclass(frozen=True, slots=True)
class MemorySample:
    """Resident memory of the measuring child at `at_s` seconds after its start."""

    at_s: float
    phase: str
    anon_bytes: int
    file_bytes: int


NOT_SEEN = Unmeasured("only the native runner of a device session sees this")


@dataclass(frozen=True, slots=True)
class DecodePoint:
    """Decode with `depth_tokens` already in the context, over all repetitions."""

    depth_tokens: int
    decode_tok_s: Reading
    inter_token_p50_ms: Reading
    inter_token_p95_ms: Reading
    inter_token_p99_ms: Reading


SLOWED = "slowed down: "
"""How a fall of speed is told that nothing explains."""


@dataclass(frozen=True, slots=True)
class SustainedPoint:
    """Speed over one stretch of a long decode that ended at `at_s` seconds after its start; None: not shown."""

    at_s: float
    tok_s: float
    temperature_c: float | None
    frequency_mhz: float | None


@dataclass(frozen=True, slots=True)
class Sustained:
    """A long decode. `throttling` names what slowed down and what went with it; "" where nothing did. It begins with
    SLOWED where neither heat nor a lower clock went with it."""

    points: tuple[SustainedPoint, ...]
    throttling: str

    @property
    def throttled(self) -> bool:
        """Whether it slowed down with heat or a lower clock: only then may throttling be claimed."""
        return bool(self.throttling) and not self.throttling.startswith(SLOWED)


@dataclass(frozen=True, slots=True)
class Memory:
    """Peak memory of the process that measured. RSS is anonymous + file-backed (mapped weights are file-backed)."""

    peak_rss_bytes: Reading
    peak_anon_bytes: Reading
    peak_file_bytes: Reading
    peak_pss_bytes: Reading
    baseline_rss_bytes: Reading
    """Resident before the file was opened: the interpreter and the runtime's libraries, which an app does not have."""
    timeline: tuple[MemorySample, ...]
    fit_bytes: Reading = NOT_SEEN
    """Peak anonymous + all weight bytes (+ the GPU's share of a shared memory, where shown): what must fit."""
    major_faults: Reading = NOT_SEEN
    """Pages that had to come from storage while decode and prefill were timed: more than none means paging."""
    gpu_bytes: Reading = NOT_SEEN
    """The GPU's share of a shared memory."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """One session in a fresh child process."""

    artifact_sha256: str
    artifact_bytes: int
    taken_at: str
    repetitions: int
    host: HostFacts
    runtime: RuntimeFacts
    before: HostState
    after: HostState
    load_cold_ms: Reading
    load_warm_ms: Reading
    prefill: tuple[PrefillPoint, ...]
    decode_tok_s: Reading
    inter_token_p50_ms: Reading
    inter_token_p95_ms: Reading
    inter_token_p99_ms: Reading
    inter_token_samples_ms: tuple[float, ...]
    memory: Memory
    energy_mj_per_token: Reading
    inference: tuple[InferencePoint, ...] = ()
    """Runs of a network; what belongs to language models (prefill, decode) is then empty or Unmeasured."""
    notes: tuple[str, ...] = ()
    power: PowerRecord | None = None
    device: ProbedDevice | None = None
    """Where a device session ran; None: this host, in a Python child."""
    decode_points: tuple[DecodePoint, ...] = ()
    greedy_parity: Reading = NOT_SEEN
    """Share of greedily chosen ids that equal this host's after the same prompt."""
    sustained: Sustained | None = None
    partial: str = ""
    """Why a session ended early; what had come until then stands. "" for a whole one."""
