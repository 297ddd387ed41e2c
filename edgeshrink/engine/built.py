"""A build that is to be bundled: its documents and the files of its artifact, from its folder or from a bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgeshrink.bundle.archives.reading import safe_name
from edgeshrink.core.bundle import BUNDLE_NAME, MODEL_FOLDER
from edgeshrink.core.lock import LOCK_NAME, Lock
from edgeshrink.core.manifest import Manifest, ManifestFile
from edgeshrink.core.plain import plain
from edgeshrink.core.report import Report
from edgeshrink.engine.artifacts import find_artifact
from edgeshrink.engine.lock import read_lock
from edgeshrink.engine.writing import LICENCES
from edgeshrink.errors import DataError, UsageError
from edgeshrink.report.json import report_from_json
from edgeshrink.report.manifest import MANIFEST_NAME, REPORT_NAME, check_files, read_manifest, read_manifest_file

BUILD_MANIFEST = "build-manifest.json"
_DOCUMENTS = (REPORT_NAME, "report.html", "MODEL_CARD.md", LOCK_NAME)
_HINT = "name a folder that `edgeshrink build` wrote"


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """One file of the artifact: `name` is what it is called in a bundle."""

    name: str
    path: Path
    sha256: str
    nbytes: int


@dataclass(frozen=True, slots=True)
class Built:
    """`opened` is what the runtime opens, `main` the same inside a bundle; `documents` are the files of the build
    folder that a bundle carries as they are, by their names there."""

    opened: Path
    runtime: str
    network: bool
    manifest: Manifest
    report: Report
    lock: Lock
    files: tuple[BuiltFile, ...]
    documents: Mapping[str, bytes] = field(repr=False)
    licence_texts: Mapping[str, bytes] = field(repr=False)

    @property
    def main(self) -> str:
        return f"{MODEL_FOLDER}/{self.report.artifact.file}"

    @property
    def report_file(self) -> ManifestFile:
        return ManifestFile(REPORT_NAME, self.manifest.report_sha256, len(self.documents[REPORT_NAME]))

    @property
    def nbytes(self) -> int:
        return sum(file.nbytes for file in self.files)


def read_built(out: Path) -> Built:
    """The build in the folder `out`. Its documents are compared with its manifest here, its artifact when it is copied.

    UsageError where it is no build, DataError where it is not as it was built.
    """
    if (out / BUNDLE_NAME).is_file():
        raise UsageError(f"{out} is a bundle", hint=_HINT)
    found = find_artifact(out)
    if not (out / MANIFEST_NAME).is_file():
        raise UsageError(f"{out} is no build", hint=_HINT)
    manifest = read_manifest(out)
    listed = {file.name: file for file in manifest.files}
    for name in _DOCUMENTS:
        if name not in listed:
            raise UsageError(f"{out} has no {name}: it is no whole build of this version", hint="build it again")
    artifact = manifest_artifact(out)
    of_model = [file for file in manifest.files if file.name.split("/")[0] == artifact]
    _refuse_changed(out, check_files(out, (file for file in manifest.files if file not in of_model)))
    if not of_model:
        raise DataError(f"{out / MANIFEST_NAME} lists no {artifact}", hint="build it again")
    texts = [name for name in listed if name.startswith(f"{LICENCES}/")]
    return Built(
        opened=found.path,
        runtime=found.runtime,
        network=found.network,
        manifest=manifest,
        report=_report(out / REPORT_NAME),
        lock=read_lock(out / LOCK_NAME),
        files=tuple(BuiltFile(f"{MODEL_FOLDER}/{f.name}", out / f.name, f.sha256, f.bytes) for f in of_model),
        documents=_read(out, _DOCUMENTS) | {BUILD_MANIFEST: (out / MANIFEST_NAME).read_bytes()},
        licence_texts={name.removeprefix(f"{LICENCES}/"): (out / name).read_bytes() for name in texts},
    )


def manifest_artifact(out: Path) -> str:
    """The name of the artifact, by the report in `out`."""
    return _report(out / REPORT_NAME).artifact.file


def recorded_documents(bundle: Path) -> tuple[Manifest, Report, Lock, dict[str, bytes]]:
    """What a bundle recorded of its build: measurements among it, which no rebuild takes again."""
    names = (*_DOCUMENTS, BUILD_MANIFEST)
    for name in names:
        if not (bundle / name).is_file():
            raise DataError(f"{bundle} has no {name}", hint="rebuild from a whole bundle")
    manifest = read_manifest_file(bundle / BUILD_MANIFEST)
    return manifest, _report(bundle / REPORT_NAME), read_lock(bundle / LOCK_NAME), _read(bundle, names)


def _report(path: Path) -> Report:
    """A report may be anybody's: what it calls the artifact becomes the name of a file."""
    try:
        report = report_from_json(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text", hint="build it again") from error
    name = report.artifact.file
    if not safe_name(name) or plain(name) != name:
        raise DataError(
            f"{path} calls the artifact {plain(name)!r}, which is no file inside a bundle", hint="build it again"
        )
    return report


def _read(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names}


def _refuse_changed(out: Path, problems: tuple[str, ...]) -> None:
    if problems:
        raise DataError(f"{out} is not as it was built: {'; '.join(problems)}", hint="build it again")
