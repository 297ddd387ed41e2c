"""The one interface to a vendor's ready runner: how it is known, how it is called, what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.measure.statistics import SAMPLES_NEEDED, percentile_reading


@dataclass(frozen=True, slots=True)
class Work:
    """One process to start: paths are the device's. `help` is what the runner says of its flags, "" where nothing.

    For a language model: `prompt` (also in the file `prompt_file`) has `prompt_tokens`, and `decode_tokens` follow,
    `repetitions` times where the runner repeats by itself. For a network: `repetitions` runs.
    """

    program: str
    model: str
    help: str
    threads: int
    repetitions: int
    delegate: str = "cpu"
    tokenizer: str = ""
    prompt: str = ""
    prompt_file: str = ""
    prompt_tokens: int = 0
    decode_tokens: int = 0

    def has(self, flag: str) -> bool:
        """Whether this build of the runner has the flag; of one that shows none, the newest is assumed."""
        return not self.help or flag in self.help


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took, in milliseconds: every sample, or what the runner made of its `n` samples."""

    samples_ms: tuple[float, ...] = ()
    n: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None

    def reading(self, percent: int, name: str, how: str) -> Reading:
        """The percentile, by edgeshrink's rule from samples, else as `name` says it, else why it cannot be told."""
        if self.samples_ms:
            return percentile_reading(self.samples_ms, percent, how=f"{how}, as {name} timed it")
        own = {50: self.p50_ms, 95: self.p95_ms, 99: self.p99_ms}[percent]
        if own is None:
            return Unmeasured(f"{name} does not say p{percent}")
        if self.n < SAMPLES_NEEDED[percent]:
            return Unmeasured(f"p{percent} needs at least {SAMPLES_NEEDED[percent]} samples, {name} took {self.n}")
        return Measured(own, n=self.n, how=f"{how}; {name}'s own p{percent} of {self.n}")


NOTHING = Spread()


@dataclass(frozen=True, slots=True)
class Told:
    """What one process said. `runs` are of a network; all else is of a language model.

    `decode_tok_s`: one figure a generation, of `decode_tokens` tokens all together. `remarks`: what a reader must know.
    """

    load_ms: float | None = None
    prompt_tokens: int = 0
    ttft: Spread = NOTHING
    step: Spread = NOTHING
    decode_tok_s: tuple[float, ...] = ()
    decode_tokens: int = 0
    runs: Spread = NOTHING
    peak_rss_bytes: int | None = None
    remarks: tuple[str, ...] = ()


class VendorRunner(Protocol):
    """Stateless. A runner that repeats by itself is started once for a prompt length, another one for each sample."""

    name: str
    format: str
    """The format it runs: "executorch" or "onnx"."""
    network: bool
    """Runs networks; else language models."""
    repeats: bool
    loading: str
    """What its load time is of."""
    first: str
    """What its time to the first token is of; "" for networks."""
    inputs: str
    """What a network is fed with; "" for language models."""

    def recognises(self, name: str, help: str) -> bool:
        """Whether a file of that name, which says `help` of itself, is this runner. `help` may be ""."""
        ...

    def argv(self, work: Work) -> tuple[str, ...]:
        """DeviceError where it cannot do what is asked."""
        ...

    def parse(self, said: str) -> Told:
        """From all that it printed. RuntimeFailed where what it always prints is not there."""
        ...
