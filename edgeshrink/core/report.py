"""The report object: everything that a build or a measuring session found out. `report.json` is this, as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeshrink.core.adapter import BuiltAdapter
from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.delegation import Delegation
from edgeshrink.core.export_times import ExportTimes
from edgeshrink.core.fallback import Fallback
from edgeshrink.core.measurement import HostFacts, Measurements
from edgeshrink.core.plan import Candidate, Predictions, TensorPlan
from edgeshrink.core.quality import NetworkQuality, Quality
from edgeshrink.core.reading import Reading
from edgeshrink.core.shrinking import Shrinkage
from edgeshrink.core.verdict import Outcome, Verdict

REPORT_SCHEMA = "edgeshrink-report-5"
COMPARISON_SCHEMA = "edgeshrink-comparison-1"
DEVICES_SCHEMA = "edgeshrink-devices-1"


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """The source model: `digest` is the sha256 over its files' sha256, in name order."""

    given: str
    kind: str
    model_type: str
    digest: str
    hub_id: str | None
    revision: str | None
    license: str | None
    parameters: int
    dtype: str


@dataclass(frozen=True, slots=True)
class Artifact:
    """A finished file, or a folder of files that belong together: `file` is its name, `files` are those inside.

    `nbytes` counts all of them, `delegation` is None where the format knows no delegates.
    """

    file: str
    format: str
    scheme: str
    sha256: str
    nbytes: int
    tensor_bytes: int
    bits_per_weight: float
    tensors: tuple[TensorPlan, ...]
    files: tuple[str, ...] = ()
    delegation: Delegation | None = None


@dataclass(frozen=True, slots=True)
class Compression:
    """What was done, with which text."""

    method: str
    imatrix: str
    calibration_text: str
    calibration_sha256: str
    calibration_tokens: int


@dataclass(frozen=True, slots=True)
class Rung:
    """One scheme that was really built while the ladder was walked, and what decided the next move.

    A network's rung has `cosine`; a language model's has the other three.
    """

    scheme: str
    artifact_bytes: int
    mean_kl: Reading | None
    same_top_share: Reading | None
    perplexity_ratio: Reading | None
    outcome: Outcome
    move: str
    cosine: Reading | None = None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step's result that this build stands on: when it was made, and how long that took.

    Whether a build ran the step or found it in the store is told by `edgeshrink cache why`, so that a second
    identical build writes the same bytes.
    """

    id: str
    key: str
    made_at: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """The whole story of one build (or of one `profile`: then `source`, `compression`, `quality` are None)."""

    schema: str
    version: str
    created_at: str
    target: str
    profile: str
    profile_name: str
    on_device: bool
    """What was measured was measured on the device that the profile describes."""
    context: int
    source: SourceSummary | None
    artifact: Artifact
    compression: Compression | None
    candidates: tuple[Candidate, ...]
    ladder: tuple[Rung, ...]
    predictions: Predictions | None
    quality: Quality | NetworkQuality | None
    measurements: Measurements | None
    verdict: Verdict
    host: HostFacts
    steps: tuple[StepRecord, ...]
    notes: tuple[str, ...]
    traded_away: tuple[str, ...]
    export_times: ExportTimes | None = None
    """Where the time of the export went, where a child process did it."""
    folder: Path | None = None
    fallback: Fallback | None = None
    """When an app should hand over to something better; None where no threshold was fitted."""
    behaviour: Behaviour | None = None
    """What the suite found, slice by slice; None where none was run: a note says why."""
    shrinkage: Shrinkage | None = None
    """How the model itself was made smaller before it was quantized; None where nobody had to."""
    adapters: tuple[BuiltAdapter, ...] = ()
    """What ships beside the artifact and runs on top of it."""


@dataclass(frozen=True, slots=True)
class DeviceOutcome:
    """One device of a session on several: its report, or why there is none."""

    device: str
    report: Report | None
    error: str


@dataclass(frozen=True, slots=True)
class Interleaved:
    """Two artifacts on one device in turn, A B A B: `ratios` are A's figure / B's, from rounds side by side.

    `rows` are (name, A, B, A / B); low and high of a ratio are its 95 % interval over the rounds.
    """

    device: str
    a: str
    b: str
    rounds: int
    rows: tuple[tuple[str, Reading, Reading, Reading], ...]
    notes: tuple[str, ...]
    partial: str = ""
    """Why it ended before all rounds that were asked for; `rounds` are those that were whole."""


@dataclass(frozen=True, slots=True)
class DeviceSessions:
    """`profile --device all`: one artifact on several devices, each judged by its own profile."""

    schema: str
    version: str
    artifact: str
    outcomes: tuple[DeviceOutcome, ...]


@dataclass(frozen=True, slots=True)
class FormatOutcome:
    """One format of a build of several: its report, or why there is none."""

    format: str
    report: Report | None
    error: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """`build --format all`: every format that the target lists, and which one fits the budget best, and why."""

    schema: str
    version: str
    target: str
    profile: str
    profile_name: str
    model: str
    outcomes: tuple[FormatOutcome, ...]
    best: str | None
    why: str
    folder: Path | None = None
