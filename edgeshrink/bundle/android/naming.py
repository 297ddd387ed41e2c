"""What a bundle is called where Android wants other names than its own: packages, modules, packs, coordinates."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgeshrink.core.bundle import BundleManifest, BundleOptions
from edgeshrink.errors import UsageError

_GROUP = "dev.edgeshrink.bundles"
_APPLICATION_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+")
_MIN_SDK, _MIN_SDK_RUNNER = 26, 28
"""java.nio.file came with Android 8; the runner's libc calls with Android 9."""


@dataclass(frozen=True, slots=True)
class Names:
    """Every name of one bundle. `namespace` ends in a word of ours: a model may be called like a Java keyword."""

    artifact: str
    version: str
    module: str
    group: str
    namespace: str
    application_id: str
    min_sdk: int

    @property
    def coordinates(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def aar(self) -> str:
        return f"{self.artifact}-{self.version}.aar"

    @property
    def assets(self) -> str:
        """Where the files lie among an app's assets."""
        return f"edgeshrink/{self.artifact}"


def names_of(manifest: BundleManifest, options: BundleOptions) -> Names:
    """UsageError where the application id is none."""
    given = options.application_id
    if given and not _APPLICATION_ID.fullmatch(given):
        raise UsageError(
            f"{given!r} is no Android application id",
            hint="letters, digits and _ in two parts or more: com.example.app",
        )
    module = manifest.name.replace("-", "_")
    return Names(
        artifact=manifest.name,
        version=manifest.version,
        module=module,
        group=given or _GROUP,
        namespace=f"{_GROUP}.{module}_model",
        application_id=given or f"{_GROUP}.{module}_sample",
        min_sdk=_MIN_SDK_RUNNER if options.runner else _MIN_SDK,
    )
