"""The Gradle library module: the API as source, the bundle's files as assets."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.bundle.android.aar import ABI, RUNNER_LIBRARY
from edgeshrink.bundle.android.naming import Names
from edgeshrink.bundle.android.parts import no_compress
from edgeshrink.bundle.android.templates import api_sources, filled, kotlin_list
from edgeshrink.bundle.archives.entries import copy_hashed
from edgeshrink.bundle.cargo import FILE_MODE, Cargo
from edgeshrink.core.events import Listener

_FOLDER = "android/module"
_MAIN = f"{_FOLDER}/src/main"


def write_module(cargo: Cargo, names: Names, runner: Path | None, listener: Listener) -> None:
    """Write `android/module`."""
    cargo.write(
        f"{_FOLDER}/build.gradle.kts",
        filled(
            "module",
            "build.gradle.kts",
            namespace=names.namespace,
            min_sdk=names.min_sdk,
            no_compress=kotlin_list(no_compress(cargo.manifest)),
        ),
    )
    cargo.write(f"{_MAIN}/AndroidManifest.xml", filled("module", "AndroidManifest.xml"))
    for name, path in api_sources():
        cargo.write(f"{_MAIN}/java/{name}", path.read_bytes())
    for name in cargo.files:
        cargo.lay(name, f"{_MAIN}/assets/{names.assets}/{name}")
    if runner is not None:
        # A copy, no link: who changes the bundle must not change the runner that it came from.
        library = cargo.folder / _MAIN / "jniLibs" / ABI / RUNNER_LIBRARY
        copy_hashed(runner, library, listener)
        library.chmod(FILE_MODE)
