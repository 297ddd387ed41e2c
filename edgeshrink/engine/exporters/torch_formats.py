"""What the formats that are exported through torch have in common: their extra, and flags that mean nothing to them."""

from __future__ import annotations

from edgeshrink.catalog.requirements import check_extra
from edgeshrink.engine.workshop import Workshop
from edgeshrink.errors import UsageError


def check_extra_and_flags(workshop: Workshop, format: str) -> None:
    """ToolMissing without the extra; UsageError for a flag that only GGUF knows."""
    workshop.notes.extend(check_extra(format))
    request = workshop.request
    if request.gpu_layers:
        raise UsageError(
            f"--gpu-layers is llama.cpp's, and the format is {format}", hint="leave it out, or see --delegate"
        )
    if request.imatrix != "default":
        raise UsageError(f"--imatrix weighs GGUF's types, and the format is {format}", hint="leave it out")
    if request.calibration is not None:
        raise UsageError(
            f"--calibration is read for GGUF's importance matrix and for networks; {format} rounds a language model"
            " without data",
            hint="leave it out",
        )
