"""The verb `bundle`: from a verified build to what a developer of one platform drops into a project, signed."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from edgeshrink.bundle.archives.entries import copy_hashed
from edgeshrink.bundle.cargo import FILE_MODE, Cargo, settle_modes, write_file
from edgeshrink.bundle.chat import chat_of
from edgeshrink.bundle.chat_words import read_words
from edgeshrink.bundle.documents.bom import write_bom
from edgeshrink.bundle.documents.provenance import write_provenance
from edgeshrink.bundle.interface import Bundler
from edgeshrink.bundle.licences.judging import licences_of, refuse_forbidden, sentences
from edgeshrink.bundle.licences.texts import licence_texts
from edgeshrink.bundle.registry import bundler
from edgeshrink.catalog.requirements import check_extra
from edgeshrink.catalog.targets import load_target
from edgeshrink.core.bundle import (
    BUNDLE_NAME,
    BUNDLE_SCHEMA,
    KINDS,
    BundleKind,
    BundleManifest,
    BundleOptions,
    BundleRequest,
    Chat,
    Engine,
    LicenceNote,
)
from edgeshrink.core.bundled import Bundled
from edgeshrink.core.digests import combined_sha256
from edgeshrink.core.events import Listener, notice, silent
from edgeshrink.core.manifest import ManifestFile
from edgeshrink.core.reading import Estimate, Measured
from edgeshrink.core.report import Report
from edgeshrink.core.values import from_json, to_json
from edgeshrink.devices.local import profile_for
from edgeshrink.engine.built import Built, read_built
from edgeshrink.engine.bundle_runner import runner_for_bundle
from edgeshrink.engine.installed import versions
from edgeshrink.engine.seal import Seal, sealed
from edgeshrink.engine.whole_folder import whole_folder
from edgeshrink.errors import DataError, NoSpace, UsageError
from edgeshrink.toolchain import javac

_ENGINES = {
    ("llama_cpp", False): ("llama.cpp", "llama-cpp-python"),
    ("onnx", False): ("onnxruntime-genai", "onnxruntime-genai"),
    ("onnx", True): ("onnxruntime", "onnxruntime"),
    ("executorch", False): ("executorch", "executorch"),
    ("executorch", True): ("executorch", "executorch"),
}
_SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_VERSION = re.compile(r"\d{1,6}(\.\d{1,6}){0,2}")
_SMALL_FILES_BYTES = 32 << 20
"""More than documents, code and a runner take together, besides the model."""


def kind_of(built: Built) -> BundleKind:
    """The kind that the build's target takes."""
    kind = load_target(built.report.target).bundle
    for known in KINDS:
        if kind == known:
            return known
    raise DataError(f"the target {built.report.target} names the bundle {kind!r}", hint=f"known: {', '.join(KINDS)}")


def name_of(built: Built) -> str:
    """A slug of the model's name."""
    source = built.report.source
    given = (source.given if source else built.report.artifact.file).split("/")[-1].removeprefix("edgeshrink-")
    slug = re.sub(r"[^a-z0-9]+", "-", given.lower()).strip("-")[:50].strip("-") or "model"
    return slug if slug[0].isalpha() else f"m-{slug}"


def bundle(
    out: Path,
    folder: Path,
    options: BundleOptions,
    *,
    seal: Seal | None,
    accept_licence: bool = False,
    accept_verdict: bool = False,
    listener: Listener = silent,
) -> Bundled:
    """Bundle the build in `out` into `folder`: whole, or not at all. Without `seal` it is not signed.

    UsageError, DataError, ToolMissing before anything is written; NoSpace names what is needed.
    """
    check_extra("bundle")
    check_place(folder)
    built = read_built(out)
    if built.report.verdict.outcome == "FAIL" and not accept_verdict:
        failed = ", ".join(line.name for line in built.report.verdict.lines if line.outcome == "FAIL")
        raise UsageError(
            f"{out} failed its budget: {failed}", hint="build what fits, or say --accept-verdict to bundle it anyway"
        )
    settled = _settled(built, options, listener)
    return write_bundle(built, folder, settled, seal=seal, accept_licence=accept_licence, listener=listener)


def _settled(built: Built, options: BundleOptions, listener: Listener) -> BundleOptions:
    """Nothing left open: the target's kind, the model's name, the runner of the profile's device."""
    kind = options.kind or kind_of(built)
    if not _SLUG.fullmatch(options.name or name_of(built)):
        raise UsageError(
            f"--name {options.name!r} is no name of a bundle", hint="a-z, 0-9 and single dashes, a letter first"
        )
    if not _VERSION.fullmatch(options.version):
        raise UsageError(f"--version {options.version!r} is no version of a bundle", hint="up to three numbers: 1.0.0")
    runner = options.runner
    if runner is None and (options.with_runner or (kind == "jetson" and built.runtime == "llama_cpp")):
        profile = profile_for(built.report.profile, None)
        runner = runner_for_bundle(kind, profile, listener=listener).path
    return replace(options, kind=kind, name=options.name or name_of(built), runner=runner)


def check_place(folder: Path) -> None:
    """Refuse a folder that something else stands in: an old bundle is replaced, nothing else is."""
    if folder.exists() and not (folder / BUNDLE_NAME).is_file() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is no bundle", hint="name another folder with -o")


def write_bundle(
    built: Built,
    folder: Path,
    options: BundleOptions,
    *,
    seal: Seal | None,
    accept_licence: bool = False,
    listener: Listener = silent,
) -> Bundled:
    """The same of a build that was read already."""
    engine = engine_of(built)
    licences = licences_of(built.report, engine, built.licence_texts)
    refuse_forbidden(licences, accepted=accept_licence)
    chat, chat_notes, template = _chat(built)
    documents = dict(built.documents) | licence_texts(engine, built.licence_texts)
    documents |= {} if template is None else {"chat_template.jinja": template.encode()}
    artifact = tuple(ManifestFile(file.name, file.sha256, file.nbytes) for file in built.files)
    documents["provenance.json"] = write_provenance(
        built.report, artifact, built.manifest.versions, built.lock, byproducts=(built.report_file,)
    )
    documents["bom.cdx.json"] = write_bom(
        built.report, artifact, built.manifest.versions, engine, licences, lock=built.lock
    )
    manifest = _manifest(built, options, engine, chat, licences, accept_licence, documents)
    writer = bundler(manifest.kind)
    writer.check(manifest, options)
    _check_disk(folder, built, writer, manifest, options, listener)
    with whole_folder(folder) as staging:
        for file in built.files:
            if copy_hashed(file.path, staging / file.name, listener) != file.sha256:
                raise DataError(f"{file.path} is not as it was built", hint="build it again")
            (staging / file.name).chmod(FILE_MODE)
        for name, content in documents.items():
            write_file(staging / name, content)
        write_file(staging / BUNDLE_NAME, to_json(manifest))
        notes = writer.write(Cargo(staging, manifest), options, listener)
        settle_modes(staging)
        known = {file.name: file.sha256 for file in built.files}
        claims = sealed(staging, seal, manifest, known, listener)
    told = (*chat_notes, *sentences(licences, accepted=accept_licence), *notes)
    return Bundled(folder, manifest, claims, told)


def engine_of(built: Built) -> Engine:
    """What the artifact was measured in; DataError where the build does not say its version."""
    project, package = _ENGINES[built.runtime, built.network]
    version = built.manifest.versions.get(package)
    if version is None:
        raise DataError(f"the build's manifest names no version of {package}", hint="build it again")
    return Engine(built.runtime, project, package, version.partition("+")[0])


def _chat(built: Built) -> tuple[Chat | None, tuple[str, ...], str | None]:
    if built.network:
        return None, (), None
    words = read_words(built.opened, built.runtime)
    chat, notes = chat_of(words, today=built.report.created_at)
    return chat, notes, words.template


def _manifest(
    built: Built,
    options: BundleOptions,
    engine: Engine,
    chat: Chat | None,
    licences: tuple[LicenceNote, ...],
    accepted: bool,
    documents: Mapping[str, bytes],
) -> BundleManifest:
    report, memory = built.report, _memory(built.report)
    assert options.kind is not None
    small = (ManifestFile(name, _sha256(content), len(content)) for name, content in documents.items())
    model = (ManifestFile(file.name, file.sha256, file.nbytes) for file in built.files)
    return BundleManifest(
        schema=BUNDLE_SCHEMA,
        kind=options.kind,
        name=options.name,
        version=options.version,
        format=report.artifact.format,
        main=built.main,
        artifact_sha256=report.artifact.sha256,
        artifact_bytes=built.nbytes,
        engine=engine,
        context=report.context,
        threads=options.threads,
        memory_bytes=None if memory is None else int(memory.value),
        memory_how="" if memory is None else "measured" if isinstance(memory, Measured) else "predicted",
        memory_limit_bytes=_memory_limit(report),
        source=built.manifest.source,
        plan=built.manifest.plan,
        tools={**built.manifest.versions, **_bundling_tools(options)},
        base_sha256=None,
        chat=chat,
        fallback=report.fallback,
        licences=licences,
        licence_accepted=accepted,
        report_sha256=built.manifest.report_sha256,
        request=_request(options),
        files=tuple(sorted((*small, *model), key=lambda file: file.name)),
    )


def _bundling_tools(options: BundleOptions) -> dict[str, str]:
    """What the bundle's bytes depend on beside the build's."""
    tools = {"edgeshrink (bundle)": versions()["edgeshrink"]}
    compiled = options.kind == "android" and options.archives and (not options.parts or "aar" in options.parts)
    return tools | ({"javac": javac.version()} if compiled else {})


def _request(options: BundleOptions) -> BundleRequest:
    return BundleRequest(
        archives=options.archives,
        application_id=options.application_id,
        delivery=options.delivery,
        parts=options.parts,
        xcframework_url=options.xcframework_url,
        xcframework_checksum=options.xcframework_checksum,
        executorch_revision=options.executorch_revision,
        runner_sha256=_given_sha256(options.runner),
        python_sha256=_given_sha256(options.python),
        wheels_sha256=_given_sha256(options.wheels),
    )


def _given_sha256(path: Path | None) -> str:
    """Of a file its sha256, of a folder one over all its files; "" where none was given."""
    if path is None:
        return ""
    if path.is_file():
        return _file_sha256(path)
    files = (file for file in path.rglob("*") if file.is_file())
    return combined_sha256((file.relative_to(path).as_posix(), _file_sha256(file)) for file in files)


def _file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _memory(report: Report) -> Measured | Estimate | None:
    """What must fit: measured where it was, else predicted."""
    if report.measurements is not None:
        memory = report.measurements.memory
        for reading in (memory.fit_bytes, memory.peak_rss_bytes):
            if isinstance(reading, Measured):
                return reading
    predicted = None if report.predictions is None else report.predictions.peak_rss_bytes
    return predicted if isinstance(predicted, Estimate) else None


def _memory_limit(report: Report) -> int | None:
    line = next((line for line in report.verdict.lines if line.unit == "bytes" and "RAM" in line.name), None)
    return None if line is None else int(line.limit)


def _check_disk(
    folder: Path, built: Built, writer: Bundler, manifest: BundleManifest, options: BundleOptions, listener: Listener
) -> None:
    needed = built.nbytes * (1 + writer.copies(manifest, options)) + _SMALL_FILES_BYTES
    place = next(parent for parent in folder.resolve().parents if parent.is_dir())
    free = shutil.disk_usage(place).free
    told = f"{needed / 2**20:,.0f} MiB"
    if needed > free:
        raise NoSpace(
            f"this bundle takes up to {told}, and {place} has {free / 2**20:,.0f} MiB",
            hint="free some space, name another folder with -o, or leave the archives out with --no-archives",
        )
    listener(notice(f"this bundle takes up to {told} on the disk of {place}"))


def read_bundle(folder: Path) -> BundleManifest:
    """The manifest of the bundle in `folder`; DataError where there is none, or where it is not one of ours."""
    path = folder / BUNDLE_NAME
    if not path.is_file():
        raise DataError(f"there is no {path}", hint="name a folder that `edgeshrink bundle` wrote")
    try:
        return from_json(BundleManifest, path)
    except ValueError as error:
        raise DataError(f"{path} is no manifest of a bundle: {str(error).splitlines()[0]}") from error


def given_options(manifest: BundleManifest) -> BundleOptions:
    """The options that a bundle was made with, less what came from outside: runner, Python, wheels."""
    asked = manifest.request
    options = BundleOptions(kind=manifest.kind, name=manifest.name, version=manifest.version, threads=manifest.threads)
    return replace(
        options,
        archives=asked.archives,
        application_id=asked.application_id,
        delivery=asked.delivery,
        parts=asked.parts,
        xcframework_url=asked.xcframework_url,
        xcframework_checksum=asked.xcframework_checksum,
        executorch_revision=asked.executorch_revision,
    )
