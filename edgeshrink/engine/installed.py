"""Versions of everything that can have a hand in a result, and which of it a format stands on."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

import edgeshrink

_TORCH = ("torch", "transformers")
STANDS_ON = {
    "gguf": ("llama-cpp-python", "gguf"),
    "executorch": (*_TORCH, "torchao", "executorch"),
    "onnx": (*_TORCH, "onnxruntime", "onnxruntime-genai"),
}
_PACKAGES = (
    "llama-cpp-python",
    "gguf",
    "numpy",
    "tokenizers",
    "sentencepiece",
    "safetensors",
    "torch",
    "torchao",
    "transformers",
    "executorch",
    "onnx",
    "onnxruntime",
    "onnxruntime-genai",
)


def versions() -> Mapping[str, str]:
    """Versions of everything that had a hand in the result."""
    found = {"edgeshrink": edgeshrink.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
