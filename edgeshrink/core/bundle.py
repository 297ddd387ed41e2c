"""A bundle: a verified artifact as a developer of one platform takes it into an app. `bundle.json` is this, as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as strict_dataclass

from edgeshrink.core.fallback import Fallback
from edgeshrink.core.manifest import ManifestFile, ManifestPlan, ManifestSource, Sha256

BUNDLE_SCHEMA: Final = "edgeshrink-bundle-1"
BUNDLE_NAME: Final = "bundle.json"
MODEL_FOLDER: Final = "model"
SIGNATURE_FOLDER: Final = "signature"
"""What stands in it is about the payload and no part of it: two signatures of the same payload differ."""

BundleKind = Literal["android", "ios", "jetson", "laptop"]
KINDS: Final[tuple[BundleKind, ...]] = ("android", "ios", "jetson", "laptop")
Redistribution = Literal["allowed", "conditions", "forbidden", "unknown"]
Delivery = Literal["install-time", "fast-follow", "on-demand"]
_STRICT = ConfigDict(extra="forbid")
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=60)]
Version = Annotated[str, Field(pattern=r"^[0-9]{1,6}(\.[0-9]{1,6}){0,2}$")]


@strict_dataclass(frozen=True, slots=True, config=_STRICT)
class Engine:
    """What opens the artifact: artifact and engine are a pair, and a loader refuses another.

    `runtime` is ours ("llama_cpp", "onnx", "executorch"), `package` the Python distribution whose `version` was
    measured ("llama-cpp-python"), `project` what it is called on other platforms ("llama.cpp").
    """

    runtime: str
    project: str
    package: str
    version: str


@strict_dataclass(frozen=True, slots=True, config=_STRICT)
class Chat:
    """How a single question is put to the model where no Jinja runs: `before` + question + `after`.

    `before` and `after` hold special tokens and are tokenized as such, with nothing added (a BOS that belongs there is
    in `before`); the question is tokenized as plain text, so that nobody can speak in another role.
    `template` names the file with the whole template; None: the model continues text.
    """

    template: str | None
    before: str
    after: str
    stop: tuple[str, ...]
    """Texts of the tokens that end an answer."""
    stop_ids: tuple[int, ...]


@strict_dataclass(frozen=True, slots=True, config=_STRICT)
class LicenceNote:
    """What may be done with one part of the bundle: `id` as the source states it, "" where it states none."""

    part: Literal["model", "runtime"]
    name: str
    id: str
    redistribution: Redistribution
    note: str
    files: tuple[str, ...]
    """Texts in the bundle, relative to it; empty where the source brought none."""


@strict_dataclass(frozen=True, slots=True, config=_STRICT)
class BundleRequest:
    """What was asked for, so that the bundle can be made again. What came from outside is named by its digest."""

    archives: bool
    application_id: str
    delivery: Delivery
    parts: tuple[str, ...]
    xcframework_url: str
    xcframework_checksum: str
    executorch_revision: str
    runner_sha256: str
    """"" where no native runner is in the bundle."""
    python_sha256: str
    wheels_sha256: str


@strict_dataclass(frozen=True, slots=True, config=_STRICT)
class BundleManifest:
    """`bundle.json`: what a loader checks before it opens the model, and what the bundle was made from.

    `main` is what the runtime opens, relative to the bundle: a file, or a folder of files that belong together.
    `base_sha256` is set in an adapter alone: the artifact that it belongs to. `memory_bytes` is what must fit: the
    measured peak, or the predicted one (`memory_how` says which); None where neither is known. `files` has every file
    that stands beside `bundle.json` in each of the bundle's forms: the model, its licences, card, report.
    """

    schema: Literal["edgeshrink-bundle-1"]
    kind: BundleKind
    name: Slug
    version: Version
    format: str
    main: str
    artifact_sha256: Sha256
    artifact_bytes: Annotated[int, Field(ge=0)]
    engine: Engine
    context: int
    threads: int | None
    memory_bytes: int | None
    memory_how: str
    memory_limit_bytes: int | None
    """What the profile's budget allows."""
    source: ManifestSource | None
    plan: ManifestPlan
    tools: dict[str, str]
    base_sha256: Sha256 | None
    chat: Chat | None
    fallback: Fallback | None
    licences: tuple[LicenceNote, ...]
    licence_accepted: bool
    report_sha256: Sha256 | None
    request: BundleRequest
    files: tuple[ManifestFile, ...]


@dataclass(frozen=True, slots=True)
class BundleOptions:
    """What the person asked of the bundle. Paths exist; None or "" means: not given.

    Who writes a bundle takes kind, name and version from its manifest.
    """

    kind: BundleKind | None = None
    name: str = ""
    version: str = "1.0.0"
    archives: bool = True
    """Write the archives that the platform wants (AAR, .deb, wheel...) beside the plain files."""
    with_runner: bool = False
    """Build the native runner for the platform where none is given."""
    runner: Path | None = None
    """The native runner for the platform, already built: it goes into the bundle."""
    application_id: str = ""
    """Android: package of the sample app and group of the Maven artifact; "" for one made of the name."""
    delivery: Delivery = "install-time"
    parts: tuple[str, ...] = ()
    """Android: which of aar, module, ai-pack, sample; empty: all."""
    xcframework_url: str = ""
    xcframework_checksum: str = ""
    executorch_revision: str = ""
    python: Path | None = None
    """Jetson: a relocatable Python (a folder with bin/python3) that goes into the bundle."""
    wheels: Path | None = None
    """Jetson: a folder of wheels for the device, instead of the registry's."""
    threads: int | None = None
