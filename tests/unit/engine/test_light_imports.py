"""The process that a person starts never imports torch, onnx or executorch: jobs in child processes do."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "torchao", "transformers", "executorch", "onnx", "onnxruntime", "onnxruntime_genai")
VERBS = ("build", "comparison", "conversation", "planner", "profile")


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_loaded_without_the_heavy_libraries(verb: str) -> None:
    code = f"import edgeshrink.engine.{verb}, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
