"""Which of a finished ONNX file's operators and weights the asked provider gets: onnxruntime's own answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from edgeshrink.catalog.json_files import read_json
from edgeshrink.core.delegation import Delegation
from edgeshrink.errors import DataError
from edgeshrink.runtimes.child import run_job

JOB = "edgeshrink.export.onnx.inspect_job:job"
_CONFIG = "genai_config.json"


def inspect_onnx(path: Path, delegate: str) -> Delegation:
    """Open the file, or the model of the folder, in a child without running it, and ask who was given each operator.

    Graph optimizations are off, so operators and tensors are the file's own; an optimizing session has fewer. Where
    this machine's onnxruntime has no such provider nothing can be asked: `runs_here` is False and nothing counts as
    delegated. DataError for a file that is no ONNX; RuntimeFailed where onnxruntime refuses it.
    """
    file = model_file(path)
    found = cast(dict[str, Any], run_job(JOB, {"file": str(file), "delegate": delegate}))
    return Delegation(
        asked=delegate,
        delegated_operators=found["delegated_operators"],
        operators=found["operators"],
        delegated_weight_bytes=found["delegated_weight_bytes"],
        weight_bytes=found["weight_bytes"],
        left=tuple((str(name), int(count)) for name, count in found["left"]),
        duplicates=tuple((str(name), int(lost)) for name, lost in found["duplicates"]),
        runs_here=found["runs_here"],
    )


def model_file(path: Path) -> Path:
    """The .onnx itself: `path`, or what genai_config.json in the folder names."""
    if not path.is_dir():
        return path
    config = path / _CONFIG
    if not config.is_file():
        raise DataError(f"{path}: no {_CONFIG} is there", hint="name the .onnx file itself")
    model = read_json(config).get("model")
    decoder = model.get("decoder") if isinstance(model, dict) else None
    name = decoder.get("filename") if isinstance(decoder, dict) else None
    if not isinstance(name, str) or Path(name).name != name:
        raise DataError(f"{config}: model.decoder.filename names no file of this folder")
    return path / name
