"""The shipped loader as a module of this process, and the demo model as a laptop's bundle."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from built_gguf import build_gguf
from loaded_bundles import DEMO_CHAT_STOP, Python, write_loader
from sample_cargo import sample_cargo

from edgeshrink.bundle.cargo import Cargo
from edgeshrink.bundle.laptop.bundler import BUNDLER
from edgeshrink.core.bundle import BundleOptions, Chat
from edgeshrink.core.events import silent

CHAT = Chat("chat_template.jinja", "<|begin|><|user|>", "<|end|><|assistant|>", ("<|end|>",), (DEMO_CHAT_STOP,))


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the loader remembers digests: never the person's own folder."""
    monkeypatch.setenv("EDGESHRINK_BUNDLE_CACHE", str(tmp_path / "memory"))
    return tmp_path / "memory"


@pytest.fixture(scope="session")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    folder = write_loader(tmp_path_factory.mktemp("loader"))
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("loader_under_test")
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] == "loader_under_test"]:
            del sys.modules[name]


@pytest.fixture(scope="session")
def demo_gguf(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Path:
    """Of the demo model, unquantized."""
    path = tmp_path_factory.mktemp("demo") / "demo.gguf"
    build_gguf(demo_model, path, "F32")
    return path


@pytest.fixture(scope="session")
def demo_bundle(tmp_path_factory: pytest.TempPathFactory, demo_gguf: Path) -> Cargo:
    """Whole, with its wheel and tarball. Not to be changed."""
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    cargo = sample_cargo(folder, demo_gguf, name="demo", chat=CHAT, main="model/demo.gguf")
    BUNDLER.write(cargo, BundleOptions(), silent)
    return cargo


@pytest.fixture
def demo_python(demo_bundle: Cargo, tmp_path: Path) -> Python:
    """This interpreter, with the demo bundle's package."""
    return Python(Path(sys.executable), (demo_bundle.folder / "python",), tmp_path / "memory")
