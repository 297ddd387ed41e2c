"""What every kind of bundle is asked: what it needs, and to be written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from edgeshrink.bundle.cargo import Cargo
from edgeshrink.core.bundle import BundleManifest, BundleOptions
from edgeshrink.core.events import Listener


class Bundler(Protocol):
    """One kind. The plain files that all kinds share stand in the folder already: see `Cargo`."""

    def check(self, manifest: BundleManifest, options: BundleOptions) -> None:
        """Refuse before any byte is written: a tool that is missing, a size or a format that the platform refuses."""

    def copies(self, manifest: BundleManifest, options: BundleOptions) -> int:
        """How many times the model's bytes are written besides the plain copy: into archives."""

    def tools(self, options: BundleOptions) -> Mapping[str, str]:
        """Versions of the programs that this kind's bytes depend on; empty where there are none."""

    def write(self, cargo: Cargo, options: BundleOptions, listener: Listener) -> tuple[str, ...]:
        """Add this kind's files to `cargo.folder`, a README.md among them; sentences the person should read."""
