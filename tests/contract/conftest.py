"""Small language models in every format, each built once for all tests that run it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from built_formats import build_format
from device_links import link, remote
from one_process import OneProcess
from tiny_models import write_tiny_model

__all__ = ["link", "remote"]

NEEDS = {
    "gguf": (),
    "onnx": ("onnx", "onnxruntime", "onnxruntime_genai", "transformers"),
    "executorch": ("executorch", "torchao", "pytorch_tokenizers"),
}


@pytest.fixture(scope="session")
def source_model(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Callable[[str], Path]:
    """The Hugging Face folder of "llama", "qwen3", "bare qwen3" (tiny and random; bare: no settings) or "demo"."""

    @cache
    def source(kind: str) -> Path:
        if kind == "demo":
            return demo_model
        family = kind.removeprefix("bare ")
        folder = tmp_path_factory.mktemp("source") / family
        return write_tiny_model(folder, demo_model, family, settings=family == kind)

    return source


@pytest.fixture(scope="session")
def float_model(
    tmp_path_factory: pytest.TempPathFactory, source_model: Callable[[str], Path], one_process: OneProcess
) -> Callable[[str, str], Path]:
    """The main file of a source model in a format, unquantized; skips where the format's extra is not installed."""

    @cache
    def build(kind: str, format: str) -> Path:
        with one_process.for_exporters():
            return build_format(source_model(kind), tmp_path_factory.mktemp(format) / kind, format)

    def checked(kind: str, format: str) -> Path:
        for module in NEEDS[format]:
            if not _installed(module):
                pytest.skip(f"{module} is not installed")
        return build(kind, format)

    return checked


def _installed(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None
