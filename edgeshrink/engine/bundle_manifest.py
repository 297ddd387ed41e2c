"""`bundle.json`: written of a build and of what was asked for, and read again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from edgeshrink.bundle.archives.reading import safe_name
from edgeshrink.catalog.requirements import installed_version
from edgeshrink.core.bundle import (
    BUNDLE_NAME,
    BUNDLE_SCHEMA,
    BundleManifest,
    BundleOptions,
    BundleRequest,
    Chat,
    Engine,
    LicenceNote,
)
from edgeshrink.core.digests import combined_sha256
from edgeshrink.core.manifest import ManifestFile
from edgeshrink.core.plain import plain
from edgeshrink.core.reading import Estimate, Measured
from edgeshrink.core.report import Report
from edgeshrink.core.values import first_wrong, from_json
from edgeshrink.engine.built import Built
from edgeshrink.engine.installed import versions
from edgeshrink.errors import DataError
from edgeshrink.store.digests import file_sha256

_LARGEST = 16 << 20
"""Bytes of a bundle.json, as the loaders have it."""
_ENGINES = {
    ("llama_cpp", False): ("llama.cpp", "llama-cpp-python"),
    ("onnx", False): ("onnxruntime-genai", "onnxruntime-genai"),
    ("onnx", True): ("onnxruntime", "onnxruntime"),
    ("executorch", False): ("executorch", "executorch"),
    ("executorch", True): ("executorch", "executorch"),
}


def engine_of(built: Built) -> Engine:
    """What the artifact was measured in; DataError where the build does not say its version."""
    project, package = _ENGINES[built.runtime, built.network]
    version = built.manifest.versions.get(package)
    if version is None:
        raise DataError(f"the build's manifest names no version of {package}", hint="build it again")
    return Engine(built.runtime, project, package, version.partition("+")[0])


def manifest_of(
    built: Built,
    options: BundleOptions,
    engine: Engine,
    chat: Chat | None,
    licences: tuple[LicenceNote, ...],
    accepted: bool,
    documents: Mapping[str, bytes],
    tools: Mapping[str, str],
) -> BundleManifest:
    """`bundle.json` of the build: `documents` are all its files but the model's."""
    report, memory = built.report, _memory(built.report)
    assert options.kind is not None
    small = (ManifestFile(name, _sha256(content), len(content)) for name, content in documents.items())
    model = (ManifestFile(file.name, file.sha256, file.nbytes) for file in built.files)
    made = BundleManifest(
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
        tools={**built.manifest.versions, **_bundling_tools(tools)},
        base_sha256=None,
        chat=chat,
        fallback=report.fallback,
        licences=licences,
        licence_accepted=accepted,
        report_sha256=built.manifest.report_sha256,
        request=_recorded(options),
        files=tuple(sorted((*small, *model), key=lambda file: file.name)),
    )
    return _sound(made, "the build")


def _bundling_tools(tools: Mapping[str, str]) -> dict[str, str]:
    """What the bundle's bytes depend on beside the build's; `tools` are those of its kind."""
    libraries = {name: installed_version(name) for name in ("cyclonedx-python-lib", "packaging")}
    return {"edgeshrink (bundle)": versions()["edgeshrink"], **libraries, **tools}


def _recorded(options: BundleOptions) -> BundleRequest:
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
        return file_sha256(path)
    files = (file for file in path.rglob("*") if file.is_file())
    return combined_sha256((file.relative_to(path).as_posix(), file_sha256(file)) for file in files)


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


def read_bundle(folder: Path) -> BundleManifest:
    """The manifest of the bundle in `folder`; DataError where there is none, or where it is not one of ours."""
    path = folder / BUNDLE_NAME
    if not path.is_file():
        raise DataError(f"there is no {path}", hint="name a folder that `edgeshrink bundle` wrote")
    if path.stat().st_size > _LARGEST:
        raise DataError(f"{path} is larger than {_LARGEST:,} bytes", hint="this is no bundle of edgeshrink's")
    try:
        return _sound(from_json(BundleManifest, path), str(path))
    except (ValidationError, UnicodeDecodeError) as error:
        why = first_wrong(error) if isinstance(error, ValidationError) else "it is no UTF-8 text"
        raise DataError(
            f"{path} is no manifest of a bundle: {plain(why)}", hint="take the bundle anew from who made it"
        ) from error


def _sound(manifest: BundleManifest, where: str) -> BundleManifest:
    """The manifest; DataError where a name in it leads out of its folder. A report, too, may be anybody's."""
    for name in (manifest.main, *(file.name for file in manifest.files)):
        if not safe_name(name) or plain(name) != name:
            raise DataError(
                f"{where} names {plain(name)!r}, which is no file inside a bundle", hint="take it anew from who made it"
            )
    return manifest


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
