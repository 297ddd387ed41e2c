"""Networks in ONNX through onnxruntime, on the CPU."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .errors import ModelUnopenable

_ERRORS_ONLY = 3


def open_network(path: Path, *, threads: int) -> OnnxNetwork:
    """An .onnx file, or a folder with one; its data files are looked for beside it."""
    send_nothing()
    try:
        import onnxruntime
    except (ImportError, OSError) as error:
        raise ModelUnopenable(f"onnxruntime cannot be loaded: {error}") from error
    files = sorted(path.glob("*.onnx")) if path.is_dir() else [path]
    if len(files) != 1:
        raise ModelUnopenable(f"{path} holds {len(files)} .onnx files, expected one")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    try:
        session = onnxruntime.InferenceSession(str(files[0]), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library has an exception class for every status
        raise ModelUnopenable(f"{files[0]}: onnxruntime cannot load it: {error}") from error
    return OnnxNetwork(session)


def send_nothing() -> None:
    """Before the import: onnxruntime reports to its maker from some systems unless it is told not to."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


class OnnxNetwork:
    """See `engine.NetworkSession`."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.inputs = tuple(str(port.name) for port in session.get_inputs())
        self.outputs = tuple(str(port.name) for port in session.get_outputs())

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        try:
            found = self._session.run(list(self.outputs), dict(inputs))
        except Exception as error:
            raise ModelUnopenable(f"onnxruntime could not run the network: {error}") from error
        return dict(zip(self.outputs, found, strict=True))

    def close(self) -> None:
        self._session = None
