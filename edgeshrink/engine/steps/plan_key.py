"""What an export through torch depends on in its plan, as JSON values."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from edgeshrink.core.plan import Plan

_TOOLS = ("torch", "torchao", "transformers", "onnx", "onnxscript", "onnx-ir")


def plan_key(plan: Plan) -> dict[str, Any]:
    return {
        "format": plan.format,
        "scheme": plan.scheme,
        "delegate": plan.delegate,
        "context": plan.context,
        "settings": dict(plan.settings),
        "tensors": {tensor.name: [list(tensor.shape), tensor.type] for tensor in plan.tensors},
        "tools": exporting_tools(),
    }


def exporting_tools() -> dict[str, str]:
    """Versions of the libraries that export, as far as they are installed."""
    found = {}
    for name in _TOOLS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
