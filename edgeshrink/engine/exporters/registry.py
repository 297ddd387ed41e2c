"""The exporters by the name of their format."""

from __future__ import annotations

from collections.abc import Callable

from edgeshrink.engine.exporters.executorch import ExecutorchExporter
from edgeshrink.engine.exporters.gguf import GgufExporter
from edgeshrink.engine.exporters.interface import Exporter
from edgeshrink.engine.exporters.onnx import OnnxExporter
from edgeshrink.engine.workshop import Workshop


def exporter(format: str, workshop: Workshop) -> Exporter:
    """The exporter of a format that planning knows."""
    known: dict[str, Callable[[Workshop], Exporter]] = {
        "gguf": GgufExporter,
        "executorch": ExecutorchExporter,
        "onnx": OnnxExporter,
    }
    return known[format](workshop)
