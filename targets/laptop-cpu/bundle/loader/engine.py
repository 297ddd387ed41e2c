"""The engine: the very version that the artifact was measured with, and what it is asked for."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from .about import About
from .errors import BundleInvalid, EngineMismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MODULES = {"llama_cpp": "llama", "onnx": "onnx_lm", "executorch": "pte_lm"}
_NETWORKS = {"onnx": "onnx_network", "executorch": "pte_network"}
_LANGUAGE_MODEL_MARKS = ("genai_config.json", "tokenizer.json", "tokenizer.model")


class LanguageSession(Protocol):
    """A language model that is open. Logits are one row (vocab,) of float32."""

    @property
    def context(self) -> int: ...
    @property
    def position(self) -> int:
        """Tokens that the cache holds."""

    @property
    def stop_ids(self) -> frozenset[int]: ...
    def tokenize(self, text: str, *, special: bool, frame: bool) -> list[int]:
        """`special`: special tokens in `text` are read as such. `frame`: BOS and the like as the tokenizer adds it."""

    def piece(self, token: int) -> bytes:
        """The bytes of one token of an answer; none for a special one."""

    def begin(self, ids: list[int]) -> NDArray[Any]:
        """Forget all, read `ids`, and give the logits that follow them."""

    def step(self, token: int) -> NDArray[Any]: ...
    def adapt(self, adapter: Path | None) -> None:
        """Apply a LoRA adapter's file, or none."""

    def close(self) -> None: ...


class NetworkSession(Protocol):
    """A network that is open."""

    @property
    def inputs(self) -> tuple[str, ...]: ...
    @property
    def outputs(self) -> tuple[str, ...]: ...
    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]: ...
    def close(self) -> None: ...


def require_engine(about: About) -> None:
    """EngineMismatch says which version is needed, which is there, and how to get the right one."""
    needed = about.engine
    line = f"python -m pip install '{needed.package}=={needed.version}'"
    try:
        there = importlib.metadata.version(needed.package)
    except importlib.metadata.PackageNotFoundError:
        raise EngineMismatch(
            f"{about.name} needs {needed.project} ({needed.package} {needed.version}), which is not installed: {line}"
        ) from None
    # A local label ("+cpu") names a build of the same version, as in PEP 440's ==.
    if there != needed.version and there.partition("+")[0] != needed.version:
        raise EngineMismatch(
            f"{about.name} was measured with {needed.package} {needed.version}, and {there} is installed: {line}"
        )


def is_network(about: About) -> bool:
    """Whether the artifact generates no text: it lies in no folder with a tokenizer."""
    names = {file.name for file in about.files}
    return about.engine.runtime != "llama_cpp" and not any(
        f"{about.main}/{mark}" in names for mark in _LANGUAGE_MODEL_MARKS
    )


def open_language_model(main: Path, about: About, *, context: int, threads: int) -> LanguageSession:
    session: LanguageSession = _module(_MODULES, about).open_model(main, context=context, threads=threads)
    return session


def open_network(main: Path, about: About, *, threads: int) -> NetworkSession:
    session: NetworkSession = _module(_NETWORKS, about).open_network(main, threads=threads)
    return session


def _module(names: Mapping[str, str], about: About) -> ModuleType:
    """The engine's own library is imported here, not earlier: an app may only want to read the facts."""
    if about.engine.runtime not in names:
        raise BundleInvalid(f"the engine {about.engine.runtime!r} is none that this loader knows")
    return importlib.import_module(f".{names[about.engine.runtime]}", __package__)
