"""The package between the model and its runtime: which one, with which pin, and what is refused of the options."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

from edgeshrink.bundle.cargo import Cargo
from edgeshrink.bundle.ios.engines import REVISION, LlamaPin, known_revision, version_of_revision
from edgeshrink.bundle.ios.names import module_name
from edgeshrink.bundle.ios.packages import SWIFT, measuring_session, write_measuring_code, write_package
from edgeshrink.core.bundle import BundleManifest, BundleOptions
from edgeshrink.errors import UsageError

_URL = re.compile(r"https://[A-Za-z0-9][A-Za-z0-9.-]*(:\d{1,5})?/[A-Za-z0-9._~%/+@=&?-]+\.zip", re.ASCII)
_CHECKSUM = re.compile(r"[0-9a-f]{64}")
_LOCAL = '.binaryTarget(name: "llama", path: "llama.xcframework")'
_NO_REVISION = "0" * 40
_SESSION_FILES = ("Engine.swift", "Lines.swift", "Machine.swift", "Memory.swift", "Plan.swift", "Session.swift")


def check_llama(options: BundleOptions) -> None:
    if options.executorch_revision:
        raise UsageError("--executorch-revision belongs to a .pte, and this artifact is a GGUF")
    url, checksum = options.xcframework_url, options.xcframework_checksum
    if bool(url) != bool(checksum):
        raise UsageError(
            "an XCFramework is pinned by its URL and its checksum, and one of them is missing",
            hint="give both, --xcframework-url and --xcframework-checksum; "
            "`swift package compute-checksum llama.xcframework.zip` says the checksum",
        )
    if url and not _URL.fullmatch(url):
        raise UsageError(f"SwiftPM takes no XCFramework from {url!r}", hint="it has to be https://.../....zip")
    if checksum and not _CHECKSUM.fullmatch(checksum):
        raise UsageError(f"{checksum!r} is no checksum", hint="it has 64 digits, 0-9 and a-f")


def check_executorch(manifest: BundleManifest, options: BundleOptions) -> None:
    if options.xcframework_url or options.xcframework_checksum:
        raise UsageError("--xcframework-url belongs to a GGUF, and this artifact is a .pte")
    revision = options.executorch_revision
    if not revision:
        return
    if not REVISION.fullmatch(revision) or revision == _NO_REVISION:
        raise UsageError(f"{revision!r} is no commit", hint="a commit has 40 digits, 0-9 and a-f; a branch moves")
    version = version_of_revision(manifest.engine.package, revision)
    if version is not None and version != manifest.engine.version:
        raise UsageError(
            f"commit {revision} is the Swift package of {manifest.engine.project} {version}, "
            f"and the artifact was measured with {manifest.engine.version}",
            hint=f"give the commit of a Swift package of {manifest.engine.version}: "
            f"the head of branch swiftpm-{manifest.engine.version} where there is one, else of a package that you made",
        )


def write_llama(cargo: Cargo, pin: LlamaPin, options: BundleOptions) -> str:
    """The name of the package."""
    package = f"{module_name(cargo.manifest.name)}Llama"
    url, checksum = options.xcframework_url, options.xcframework_checksum
    remote = f'.binaryTarget(\n    name: "llama",\n    url: "{url}",\n    checksum: "{checksum}"\n)'
    write_package(cargo, "llama", package, texts={_LOCAL: remote} if url else None)
    sources, tests = f"{package}/Sources/{package}", f"{package}/Tests/{package}Measure"
    write_measuring_code(cargo, "Sources/EdgeshrinkLlama", sources, "LlamaContext.swift", "LlamaLog.swift")
    write_measuring_code(cargo, "Sources/EdgeshrinkLlama", tests, "LlamaEngine.swift")
    write_measuring_code(cargo, "Sources/EdgeshrinkMeasure", tests, *_SESSION_FILES)
    write_measuring_code(cargo, "Tests/MeasureModel", tests, "AttachedSession.swift")
    cargo.write(f"{SWIFT}/{tests}/Session/session.json", measuring_session(cargo.manifest))
    _write_engine(cargo, sources, {**asdict(pin), "by_checksum": bool(checksum)})
    return package


def write_executorch(cargo: Cargo, revision: str) -> str:
    """The name of the package."""
    package = f"{module_name(cargo.manifest.name)}ExecuTorch"
    write_package(cargo, "executorch", package, texts={_NO_REVISION: revision})
    _write_engine(cargo, f"{package}/Sources/{package}", {"revision": revision})
    return package


def executorch_revision_of(manifest: BundleManifest, options: BundleOptions) -> str | None:
    """The one that was given; else the one that is known to be that version."""
    return options.executorch_revision or known_revision(manifest.engine)


def _write_engine(cargo: Cargo, sources: str, pinned: dict[str, object]) -> None:
    engine = cargo.manifest.engine
    values = {"project": engine.project, "version": engine.version, **pinned}
    cargo.write(f"{SWIFT}/{sources}/engine.json", json.dumps(values, indent=1) + "\n")
