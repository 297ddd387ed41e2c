"""The exporters by the name of their format."""

from __future__ import annotations

from edgeshrink.engine.exporters.gguf import GgufExporter
from edgeshrink.engine.exporters.interface import Exporter
from edgeshrink.engine.exporters.torch_formats import TorchExporter
from edgeshrink.engine.workshop import Workshop


def exporter(format: str, workshop: Workshop) -> Exporter:
    """The exporter of a format that planning knows."""
    return GgufExporter(workshop) if format == "gguf" else TorchExporter(workshop, format)
