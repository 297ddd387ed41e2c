"""The native runner, built the product's own way, and files for it to open."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from asking import AFTER, BEFORE, Chat
from built_gguf import build_gguf
from native_runner import Runner

from edgeshrink.measure.synthetic import Shape, write_random_gguf
from edgeshrink.toolchain.runner.build import build_runner
from edgeshrink.toolchain.runner.platform import native_platform


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    if shutil.which("c++") is None and shutil.which("g++") is None:
        pytest.skip("no C++ compiler")
    built = build_runner(native_platform(), tmp_path_factory.mktemp("runners"))
    return Runner(built.path, built.build_id)


@pytest.fixture(scope="session")
def demo(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The demo model as a GGUF of a scheme, written once."""
    folder = tmp_path_factory.mktemp("demo")

    def build(scheme: str) -> Path:
        path = folder / f"{scheme}.gguf"
        if not path.exists():
            build_gguf(demo_model, path, scheme)
        return path

    return build


@pytest.fixture(scope="session")
def text(repository: Path) -> Path:
    """A text for prompts, as the product ships it."""
    return repository / "edgeshrink" / "_texts" / "calibration.txt"


@pytest.fixture(scope="session")
def wordless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 MB of random weights, without a tokenizer."""
    path = tmp_path_factory.mktemp("wordless") / "wordless.gguf"
    write_random_gguf(path, Shape(layers=4, width=512, ffn=2048, vocab=4096))
    return path


@pytest.fixture(scope="session")
def chat(runner: Runner, demo: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Chat:
    folder = tmp_path_factory.mktemp("chat")
    (folder / "before").write_text(BEFORE, encoding="utf-8")
    (folder / "after").write_text(AFTER, encoding="utf-8")
    return Chat(runner, demo("Q4_K_M"), folder / "before", folder / "after")
