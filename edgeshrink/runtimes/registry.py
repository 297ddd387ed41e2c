"""The runtimes by name. A name is loaded when it is asked for, so listing them costs nothing."""

from __future__ import annotations

import importlib
from typing import cast

from edgeshrink.errors import PlanError
from edgeshrink.runtimes.interface import Runtime

RUNTIMES: dict[str, str] = {
    "llama_cpp": "edgeshrink.runtimes.llama_cpp",
    "executorch": "edgeshrink.runtimes.executorch",
    "onnx": "edgeshrink.runtimes.onnx",
}


def runtime(name: str) -> Runtime:
    """The runtime of that name; PlanError lists the known ones."""
    module = RUNTIMES.get(name)
    if module is None:
        raise PlanError(f"unknown runtime {name!r}", hint=f"known runtimes: {', '.join(RUNTIMES)}")
    return cast(Runtime, importlib.import_module(module))
