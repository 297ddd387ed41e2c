"""Find the artifact that a path means: a GGUF file, or the one in a folder that `build` wrote."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.catalog.gguf_header import GgufHeader
from edgeshrink.errors import UsageError
from edgeshrink.report.manifest import read_manifest


def find_artifact(path: Path) -> Path:
    """The file itself; UsageError or DataError says what was expected there."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise UsageError(f"there is no {path}", hint="name a GGUF file, or a folder that `edgeshrink build` wrote")
    models = [file.name for file in read_manifest(path).files if file.name.endswith(".gguf")]
    if not models or not (path / models[0]).is_file():
        raise UsageError(f"{path} holds no GGUF", hint="build it again")
    return path / models[0]


def trained_context(header: GgufHeader, *, otherwise: int = 2048) -> int:
    """Tokens of context that the model in a GGUF was trained on; `otherwise` where the file does not say."""
    architecture = header.value("general.architecture")
    value = header.value(f"{architecture}.context_length") if isinstance(architecture, str) else None
    return value if isinstance(value, int) and value > 0 else otherwise
