"""Artifacts: what a build finished (a file, or a folder of files that belong together), and finding one by a path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.catalog.json_files import read_json
from edgeshrink.core.export_times import ExportTimes
from edgeshrink.engine.steps.export_record import RECORD, read_record
from edgeshrink.errors import UsageError
from edgeshrink.report.manifest import MANIFEST_NAME, read_manifest
from edgeshrink.store import Stored
from edgeshrink.store.digests import combined_sha256


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished artifact: `path` is what its runtime opens, `files` are (name, file, sha256) of all that is in it."""

    path: Path
    sha256: str
    files: tuple[tuple[str, Path, str], ...]
    times: ExportTimes | None = None
    """What the export took, where a child process did it."""

    @classmethod
    def file(cls, stored: Stored, name: str) -> Finished:
        path = stored.file(name)
        return cls(path, stored.digests[name], ((name, path, stored.digests[name]),), _times(stored))

    @classmethod
    def folder(cls, stored: Stored, name: str) -> Finished:
        inside = {
            file.removeprefix(f"{name}/"): digest
            for file, digest in stored.digests.items()
            if file.startswith(f"{name}/")
        }
        files = tuple((file, stored.file(f"{name}/{file}"), digest) for file, digest in sorted(inside.items()))
        return cls(stored.folder / name, combined_sha256(inside.items()), files, _times(stored))

    @property
    def nbytes(self) -> int:
        return sum(file.stat().st_size for _, file, _ in self.files)


def _times(stored: Stored) -> ExportTimes | None:
    return read_record(stored.folder) if RECORD in stored.digests else None


@dataclass(frozen=True, slots=True)
class Found:
    """An artifact that a path means, and the runtime that opens it. `network`: it generates no text."""

    path: Path
    runtime: str
    network: bool

    @property
    def format(self) -> str:
        return "gguf" if self.runtime == "llama_cpp" else self.runtime

    @property
    def files(self) -> tuple[Path, ...]:
        if self.path.is_file():
            return (self.path,)
        return tuple(sorted(file for file in self.path.rglob("*") if file.is_file()))


_BESIDE = "adapters/"
"""What stands beside the artifact of a build and is none."""
_HINT = "name a .gguf, .pte or .onnx file, or a folder that `edgeshrink build` wrote"


def find_artifact(path: Path) -> Found:
    """The artifact itself; UsageError or DataError says what was expected there."""
    if path.is_file():
        return _file(path)
    if not path.is_dir():
        raise UsageError(f"there is no {path}", hint=_HINT)
    if (path / MANIFEST_NAME).is_file():
        names = [file.name for file in read_manifest(path).files if not file.name.startswith(_BESIDE)]
        if "comparison.json" in names:
            raise _several(path)
        for main in ("genai_config.json", ".gguf", ".pte", ".onnx"):
            for name in names:
                if name.endswith(main) and (path / name).is_file():
                    return _folder_or_file(path / name)
        raise UsageError(f"{path} holds no artifact", hint=f"build it again, or {_HINT}")
    for main in ("genai_config.json", "model.pte"):
        if (path / main).is_file():
            return _folder_or_file(path / main)
    if any((inner / MANIFEST_NAME).is_file() for inner in path.iterdir()):
        raise _several(path)
    raise UsageError(f"{path} holds no artifact", hint=_HINT)


def only_gguf(found: Found, *, hint: str) -> Found:
    """The same; UsageError with `hint` where it is of another format."""
    if found.format != "gguf":
        raise UsageError(f"{found.path} is no GGUF", hint=hint)
    return found


def _several(path: Path) -> UsageError:
    built = sorted(inner.name for inner in path.iterdir() if (inner / MANIFEST_NAME).is_file())
    return UsageError(f"{path} holds several builds", hint=f"name one of them: {', '.join(built)}")


def _folder_or_file(main: Path) -> Found:
    return Found(main.parent, "onnx", network=False) if main.name == "genai_config.json" else _file(main)


def _file(path: Path) -> Found:
    suffix = path.suffix.lower()
    if suffix == ".gguf":
        return Found(path, "llama_cpp", network=False)
    if suffix == ".pte":
        generates = any((path.parent / name).is_file() for name in ("tokenizer.json", "tokenizer.model"))
        return Found(path.parent if generates else path, "executorch", network=not generates)
    if suffix == ".onnx":
        generates = (path.parent / "genai_config.json").is_file()
        return Found(path.parent if generates else path, "onnx", network=not generates)
    raise UsageError(f"{path} is no artifact that edgeshrink runs", hint=_HINT)


def trained_context(found: Found, *, otherwise: int = 2048) -> int:
    """Tokens of context that a language model takes, as its file says; `otherwise` where it does not.

    A .pte has its context built in: its session says it.
    """
    value: object = None
    if found.runtime == "llama_cpp":
        header = read_gguf_header(found.path)
        architecture = header.value("general.architecture")
        value = header.value(f"{architecture}.context_length") if isinstance(architecture, str) else None
    elif found.runtime == "onnx":
        model = read_json(found.path / "genai_config.json").get("model")
        value = model.get("context_length") if isinstance(model, dict) else None
    return value if isinstance(value, int) and value > 0 else otherwise
