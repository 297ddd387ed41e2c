"""`manifest.json`: write it for a finished folder, and tell later what in the folder is no longer as it was."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from edgeshrink.core.manifest import MANIFEST_SCHEMA, Manifest, ManifestFile, ManifestPlan, ManifestSource
from edgeshrink.core.report import Comparison, Report, SourceSummary
from edgeshrink.core.values import first_wrong
from edgeshrink.errors import DataError, NoSpace, UsageError

MANIFEST_NAME = "manifest.json"
REPORT_NAME = "report.json"
COMPARISON_NAME = "comparison.json"
_HINT = "a folder that edgeshrink wrote has a manifest.json; build again, or name another folder"


def write_manifest(
    folder: Path, report: Report, versions: Mapping[str, str], *, known_sha256: Mapping[str, str] | None = None
) -> Manifest:
    """Write `manifest.json` into `folder`, last, when every other file stands there; report.json must.

    Files in folders are listed as "folder/file". `versions`: tools and libraries by name. `known_sha256`: digests by
    that name, of files just written, so that a large artifact is not read again. The time is the report's, so that an
    identical build ends in equal bytes.
    """
    artifact = report.artifact
    plan = ManifestPlan(
        target=report.target,
        profile=report.profile,
        format=artifact.format,
        scheme=artifact.scheme,
        context=report.context,
        imatrix=report.compression.imatrix if report.compression else "",
        tensor_types={tensor.name: tensor.type for tensor in artifact.tensors},
    )
    return _write_manifest(folder, REPORT_NAME, report.created_at, report.source, plan, versions, known_sha256)


def write_comparison_manifest(
    folder: Path, comparison: Comparison, versions: Mapping[str, str], *, known_sha256: Mapping[str, str] | None = None
) -> Manifest:
    """The same for the folder of `--format all`: comparison.json stands in report.json's place.

    Everything in the folders of the formats is listed too, their own manifests among it.
    """
    built = [outcome.report for outcome in comparison.outcomes if outcome.report is not None]
    plan = ManifestPlan(
        target=comparison.target,
        profile=comparison.profile,
        format=",".join(outcome.format for outcome in comparison.outcomes),
        scheme=",".join(f"{report.artifact.format}={report.artifact.scheme}" for report in built),
        context=max((report.context for report in built), default=0),
        imatrix="",
        tensor_types={},
    )
    created_at = max((report.created_at for report in built), default="")
    source = built[0].source if built else None
    return _write_manifest(folder, COMPARISON_NAME, created_at, source, plan, versions, known_sha256)


def _write_manifest(
    folder: Path,
    main: str,
    created_at: str,
    source: SourceSummary | None,
    plan: ManifestPlan,
    versions: Mapping[str, str],
    known_sha256: Mapping[str, str] | None,
) -> Manifest:
    known = dict(known_sha256 or {})
    names = _names(folder)
    if main not in names:
        raise UsageError(f"{folder} has no {main}: the manifest is written after it", hint=_HINT)
    files = tuple(
        ManifestFile(name, known.get(name) or _sha256(folder / name), (folder / name).stat().st_size) for name in names
    )
    manifest = Manifest(
        schema=MANIFEST_SCHEMA,
        created_at=created_at,
        source=None if source is None else _source(source),
        plan=plan,
        versions=dict(sorted(versions.items())),
        report_sha256=next(file.sha256 for file in files if file.name == main),
        files=files,
    )
    text = json.dumps(_ADAPTER.dump_python(manifest, mode="json"), indent=2, ensure_ascii=False) + "\n"
    _write(folder / MANIFEST_NAME, text)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of `folder`; DataError where there is none, or where it is not one of ours."""
    return read_manifest_file(folder / MANIFEST_NAME)


def read_manifest_file(path: Path) -> Manifest:
    """The same of a file of any name."""
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{path.parent} has no {path.name}", hint=_HINT) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint=_HINT) from error
    except ValidationError as error:
        raise DataError(f"{path} is not a manifest: {first_wrong(error)}", hint=_HINT) from error


def is_ours(folder: Path) -> bool:
    """Whether edgeshrink wrote `folder`: it has a manifest that reads. What stands in it is not looked at."""
    try:
        read_manifest(folder)
    except DataError:
        return False
    return True


def verify_manifest(folder: Path) -> tuple[str, ...]:
    """What is wrong with `folder`, one sentence each; empty where every byte is as it was written.

    Finds files that are missing, changed, replaced by a link, or not listed. It cannot tell who wrote the manifest.
    """
    try:
        manifest = read_manifest(folder)
    except DataError as error:
        return (error.message,)
    listed = {file.name: file for file in manifest.files}
    problems = list(check_files(folder, manifest.files))
    problems += [f"{name}: not listed in {MANIFEST_NAME}" for name in _names(folder) if name not in listed]
    main = COMPARISON_NAME if COMPARISON_NAME in listed else REPORT_NAME
    report = listed.get(main)
    if report is None:
        problems.append(f"{MANIFEST_NAME}: lists no {main}")
    elif report.sha256 != manifest.report_sha256:
        problems.append(f"{MANIFEST_NAME}: report_sha256 is not the digest it lists for {main}")
    return tuple(problems)


def check_files(folder: Path, files: Iterable[ManifestFile]) -> tuple[str, ...]:
    """Which of `files` are not in `folder` as they were written, one sentence each."""
    problems = ((file.name, _problem(folder, file)) for file in files)
    return tuple(f"{name}: {problem}" for name, problem in problems if problem)


_ADAPTER: TypeAdapter[Manifest] = TypeAdapter(Manifest)


def _source(source: SourceSummary) -> ManifestSource:
    return ManifestSource(source.given, source.digest, source.hub_id, source.revision, source.license)


def _problem(folder: Path, file: ManifestFile) -> str:
    path = folder / file.name
    if path.is_symlink():
        return "is a link, and was a file"
    try:
        size = path.stat().st_size
        if not path.is_file():
            return "is not a file"
        if size != file.bytes:
            return f"changed: {size:,} bytes, written with {file.bytes:,}"
        return "" if _sha256(path) == file.sha256 else "changed: same size, other content"
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _names(folder: Path) -> tuple[str, ...]:
    """Every file and link below `folder` but the manifest: relative, forward slashes, sorted."""
    found = []
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        found += [Path(parent, name).relative_to(folder).as_posix() for name in (*files, *links)]
    return tuple(sorted(name for name in found if name != MANIFEST_NAME))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    half = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        half.write_text(text, encoding="utf-8", newline="\n")
        half.replace(path)
    except OSError as error:
        half.unlink(missing_ok=True)
        if error.errno == errno.ENOSPC:
            raise NoSpace(f"no space left to write {path}", hint="free some space and run it again") from error
        hint = "choose a folder you may write to"
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint=hint) from error
