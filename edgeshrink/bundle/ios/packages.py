"""Swift packages from their templates: real packages whose module is called BundledModel until it gets its name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from edgeshrink.bundle.cargo import Cargo
from edgeshrink.bundle.ios.names import module_name
from edgeshrink.bundle.measuring_package import LEFT_OUT, MeasuringPlan, measuring_template
from edgeshrink.catalog.data import shipped_folder
from edgeshrink.core.bundle import BundleManifest

SWIFT = "swift"
"""The folder in the bundle that holds all of it."""
_LONGEST_PROMPT, _DECODE_TOKENS, _REPETITIONS, _FIRST_REPETITIONS = 128, 64, 5, 20
"""A quick session: enough repetitions of the first prompt for a 95th percentile."""
_ALL_LAYERS, _THREADS = 99, 2


def template_folder() -> Path:
    return shipped_folder("targets") / "apple-silicon" / "bundle"


def write_package(cargo: Cargo, template: str, folder: str, *, texts: Mapping[str, str] | None = None) -> None:
    """The template of that name as SWIFT/`folder`; in its files, named already, `texts` are replaced."""
    root = template_folder() / template
    for source in sorted(path for path in root.rglob("*") if path.is_file() and not _left_out(path.relative_to(root))):
        text = _named(source.read_text(encoding="utf-8"), cargo.manifest)
        for old, new in (texts or {}).items():
            text = text.replace(old, new)
        cargo.write(f"{SWIFT}/{folder}/{_named(source.relative_to(root).as_posix(), cargo.manifest)}", text)


def write_measuring_code(cargo: Cargo, origin: str, folder: str, *names: str) -> None:
    """Files in the folder `origin` of the measuring package, as they stand there, into SWIFT/`folder`."""
    for name in names:
        source = measuring_template() / origin / name
        cargo.write(f"{SWIFT}/{folder}/{name}", _named(source.read_text(encoding="utf-8"), cargo.manifest))


def measuring_session(manifest: BundleManifest) -> str:
    """`session.json` of the measuring test: a quick session that fits the model's context."""
    length = max(1, min(_LONGEST_PROMPT, manifest.context // 2))
    plan = MeasuringPlan(
        artifact_sha256=manifest.artifact_sha256,
        build=f"bundle {manifest.name} {manifest.version}",
        llama=manifest.engine.version,
        context=manifest.context,
        threads=manifest.threads or _THREADS,
        gpu_layers=_ALL_LAYERS,
        prompt_tokens=(length,),
        first_repetitions=_FIRST_REPETITIONS,
        depths=(length,),
        decode_tokens=max(1, min(_DECODE_TOKENS, manifest.context // 4)),
        repetitions=_REPETITIONS,
    )
    return json.dumps(asdict(plan), indent=1) + "\n"


def _named(text: str, manifest: BundleManifest) -> str:
    return text.replace("BundledModel", module_name(manifest.name)).replace("bundled-model", manifest.name)


def _left_out(path: Path) -> bool:
    return bool(LEFT_OUT(str(path.parent), list(path.parts)))
