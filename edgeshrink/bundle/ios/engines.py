"""What Apple's packages call the engine that a Python package measured with: `engines.toml` beside the templates."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.catalog.data import shipped_folder
from edgeshrink.core.bundle import Engine

REVISION = re.compile(r"[0-9a-f]{40}")
_FILE = ("apple-silicon", "bundle", "engines.toml")


@dataclass(frozen=True, slots=True)
class LlamaPin:
    """llama.cpp as it tells itself: the first digits of its commit, the version of its ggml."""

    commit: str
    ggml: str


def engines_file() -> Path:
    return shipped_folder("targets").joinpath(*_FILE)


def llama_pin(engine: Engine) -> LlamaPin | None:
    """None where nobody wrote down which llama.cpp that package holds."""
    found = _known(engine.package).get(engine.version)
    return LlamaPin(found["commit"], found["ggml"]) if found else None


def version_of_revision(package: str, revision: str) -> str | None:
    """The version whose Swift package is at that commit, where it is known."""
    return next((version for version, row in _known(package).items() if row.get("revision") == revision), None)


def known_revision(engine: Engine) -> str | None:
    found = _known(engine.package).get(engine.version)
    return found.get("revision") if found else None


def _known(package: str) -> Mapping[str, Mapping[str, str]]:
    rows: Mapping[str, Mapping[str, str]] = tomllib.loads(engines_file().read_text(encoding="utf-8")).get(package, {})
    return rows
