"""Kind of bundle -> what writes it. Loaded on use."""

from __future__ import annotations

import importlib
from typing import cast

from edgeshrink.bundle.interface import Bundler
from edgeshrink.core.bundle import BundleKind

_BUNDLERS: dict[BundleKind, str] = {
    "android": "edgeshrink.bundle.android.bundler:BUNDLER",
    "ios": "edgeshrink.bundle.ios.bundler:BUNDLER",
    "jetson": "edgeshrink.bundle.jetson.bundler:BUNDLER",
    "laptop": "edgeshrink.bundle.laptop.bundler:BUNDLER",
}


def bundler(kind: BundleKind) -> Bundler:
    module, _, attribute = _BUNDLERS[kind].partition(":")
    return cast(Bundler, getattr(importlib.import_module(module), attribute))
