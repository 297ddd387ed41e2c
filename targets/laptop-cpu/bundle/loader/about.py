"""`bundle.json`, read strictly: what stands in the bundle, what opens it, and how a question is put."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .errors import BundleInvalid, BundleMissing
from .strict_json import Fields, read_object

SCHEMA = "edgeshrink-bundle-1"
NAME = "bundle.json"
_DRIVE = re.compile(r"[A-Za-z]:")
_DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9.+!_-]{1,60}")


@dataclass(frozen=True)
class Engine:
    """`package` is the Python distribution whose `version` the artifact was measured with."""

    runtime: str
    project: str
    package: str
    version: str


@dataclass(frozen=True)
class Chat:
    """A question is put as `before` + question + `after`; `stop_ids` end the answer."""

    before: str
    after: str
    stop_ids: tuple[int, ...]


@dataclass(frozen=True)
class Operating:
    """With this `threshold` the share `coverage` of the answers is kept, and `risk` of those is wrong."""

    threshold: float
    coverage: float
    risk: float


@dataclass(frozen=True)
class Fallback:
    """Hand over to a larger model where an answer's confidence is below `threshold`.

    The confidence of an answer is the smallest probability, softmax(logits / `temperature`), of any token chosen in it,
    its stop token included. `risk` is the share of wrong answers among those kept, `coverage` the share that is kept,
    both on items that nothing was fitted on; `curve` has them at other thresholds, in rising order.
    """

    threshold: float
    temperature: float
    risk: float
    coverage: float
    curve: tuple[Operating, ...]

    def hand_over(self, confidence: float) -> bool:
        """Whether an answer of that confidence is not to be trusted; one that is no number never is."""
        return not confidence >= self.threshold


@dataclass(frozen=True)
class Licence:
    part: str
    name: str
    id: str
    redistribution: str


@dataclass(frozen=True)
class CarriedFile:
    name: str
    sha256: str
    nbytes: int


@dataclass(frozen=True)
class About:
    """The facts of a bundle. `main` is what the engine opens: a file, or a folder of files that belong together."""

    name: str
    version: str
    kind: str
    format: str
    main: str
    artifact_sha256: str
    artifact_bytes: int
    engine: Engine
    context: int
    threads: int | None
    memory_bytes: int | None
    memory_how: str
    source: str | None
    source_digest: str | None
    source_revision: str | None
    base_sha256: str | None
    """Set in an adapter alone: the artifact that it belongs to."""
    chat: Chat | None
    fallback: Fallback | None
    licences: tuple[Licence, ...]
    files: tuple[CarriedFile, ...]


def read_about(folder: Path) -> About:
    """BundleMissing, or BundleInvalid with what is wrong."""
    path = folder / NAME
    if not path.is_file():
        raise BundleMissing(f"{folder} holds no {NAME}: it is no bundle")
    said = Fields(str(path), read_object(path))
    if (schema := said.text("schema")) != SCHEMA:
        raise BundleInvalid(f"{path}: the schema is {schema!r}, this loader reads {SCHEMA!r}")
    source = said.inner_or_none("source")
    about = About(
        name=said.text("name"),
        version=said.text("version"),
        kind=said.text("kind"),
        format=said.text("format"),
        main=said.text("main"),
        artifact_sha256=said.sha256("artifact_sha256"),
        artifact_bytes=said.count("artifact_bytes"),
        engine=_engine(path, said.inner("engine")),
        context=said.count("context"),
        threads=said.count_or_none("threads"),
        memory_bytes=said.count_or_none("memory_bytes"),
        memory_how=said.text("memory_how"),
        source=None if source is None else source.text("given"),
        source_digest=None if source is None else source.text("digest"),
        source_revision=None if source is None else source.text_or_none("revision"),
        base_sha256=None if said.text_or_none("base_sha256") is None else said.sha256("base_sha256"),
        chat=_chat(said.inner_or_none("chat")),
        fallback=_fallback(said.inner_or_none("fallback")),
        licences=tuple(
            Licence(entry.text("part"), entry.text("name"), entry.text("id"), entry.text("redistribution"))
            for entry in said.objects("licences")
        ),
        files=tuple(
            CarriedFile(entry.text("name"), entry.sha256("sha256"), entry.count("bytes"))
            for entry in said.objects("files")
        ),
    )
    _check_names(path, about)
    return about


def safe_name(name: str) -> bool:
    """Whether a file of that name stays inside the bundle, on any system."""
    return (
        bool(name)
        and name == PurePosixPath(name).as_posix()
        and not name.startswith("/")
        and "\\" not in name
        and not _DRIVE.match(name)
        and not {".", ".."} & set(name.split("/"))
        and not any(unicodedata.category(letter) in ("Cc", "Cf", "Cs") for letter in name)
    )


def _check_names(path: Path, about: About) -> None:
    for name in (about.main, *(file.name for file in about.files)):
        if not safe_name(name):
            raise BundleInvalid(f"{path} names {name!r}, which is no file inside a bundle")
    folded = [unicodedata.normalize("NFC", file.name).casefold() for file in about.files]
    if len(set(folded)) != len(folded):
        raise BundleInvalid(f"{path} lists two files whose names are the same on some systems")
    main = next((file for file in about.files if file.name == about.main), None)
    if main is None and not any(file.name.startswith(f"{about.main}/") for file in about.files):
        raise BundleInvalid(f"{path}: main is {about.main!r}, which is not among its files")
    if main is not None and main.sha256 != about.artifact_sha256:
        raise BundleInvalid(f"{path}: artifact_sha256 is not that of {about.main}")


def _engine(path: Path, said: Fields) -> Engine:
    engine = Engine(said.text("runtime"), said.text("project"), said.text("package"), said.text("version"))
    if not _DISTRIBUTION.fullmatch(engine.package) or not _VERSION.fullmatch(engine.version):
        raise BundleInvalid(f"{path}: the engine's package or version is none that can be installed")
    return engine


def _chat(said: Fields | None) -> Chat | None:
    return None if said is None else Chat(said.text("before"), said.text("after"), said.counts("stop_ids"))


def _fallback(said: Fields | None) -> Fallback | None:
    if said is None:
        return None
    fallback = Fallback(
        said.share("threshold"),
        said.number("temperature"),
        said.share("risk"),
        said.share("coverage"),
        tuple(
            Operating(point.share("threshold"), point.share("coverage"), point.share("risk"))
            for point in said.objects("curve")
        ),
    )
    if fallback.temperature <= 0:
        raise said.wrong("temperature", "above zero")
    return fallback
