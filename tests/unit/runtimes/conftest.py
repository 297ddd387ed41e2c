"""Small real GGUF files: random weights, and a vocabulary in which each byte is a token."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgeshrink.measure.synthetic import Shape, write_random_gguf


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny model ä.gguf"
    write_random_gguf(path, Shape(vocabulary=True))
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, where a person's modules are found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path
