"""`edgeshrink.lock`: all that a build's bytes depend on, pinned, so that it can be made again."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from edgeshrink.core.manifest import Sha256
from edgeshrink.core.request import ExpertTypes

LOCK_SCHEMA: Final = "edgeshrink-lock-1"
LOCK_NAME: Final = "edgeshrink.lock"
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=_STRICT)
class LockedModel:
    """`given` as it was asked for (None: the demo model); `digest` is the sha256 over its files' sha256. `student`: the
    digest of the smaller model that was trained and quantized in its place, which is not made again byte for byte."""

    given: str | None
    hub_id: str | None
    revision: str | None
    digest: str
    student: str | None = None


@dataclass(frozen=True, slots=True, config=_STRICT)
class LockedRequest:
    """What was decided, so that the ladder need not be walked again."""

    target: str
    profile: str
    format: str
    scheme: str
    delegate: str
    context: int
    imatrix: str
    tensor_types: tuple[tuple[str, str], ...]
    calibration: str | None
    """The path as it was given; its content is pinned in `data`."""
    expert_types: ExpertTypes = "mix"
    adapter_weights: tuple[str, ...] = ()
    """Weights, as transformers names them, that the artifact has places for updates of: an ONNX graph's."""


@dataclass(frozen=True, slots=True, config=_STRICT)
class Lock:
    """`data`: digests of the texts or samples that were read; `definitions`: of the device profile and the target;
    `versions`: of edgeshrink, Python and every library that had a hand in it."""

    schema: Literal["edgeshrink-lock-1"]
    model: LockedModel
    request: LockedRequest
    data: dict[str, Sha256]
    definitions: dict[str, Sha256]
    versions: dict[str, str]
    artifact_sha256: Sha256
    artifact_bytes: int
