"""A job for test_onnx_runtime.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def say(parameters: dict[str, Any], emit: Any) -> dict[str, object]:
    from edgeshrink.runtimes import onnx

    options = onnx._session_options(2)
    with onnx.load(Path(parameters["folder"]), context=64, threads=2) as session:
        ids = [70, 71]
        return {
            "spins": options.get("session.intra_op.allow_spinning"),
            "ids": ids,
            "logits": len(session.prefill(ids)),
        }
