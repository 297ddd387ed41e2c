"""What the formats that are exported through torch have in common: their extra, and what they cannot be made from."""

from __future__ import annotations

from edgeshrink.catalog.requirements import check_extra
from edgeshrink.engine.workshop import Workshop
from edgeshrink.errors import UnsupportedModel, UsageError


def check_source(workshop: Workshop, format: str) -> None:
    """ToolMissing without the extra; refuse what only a GGUF can be made from, or with."""
    workshop.notes.extend(check_extra(format))
    request, source = workshop.request, workshop.model.facts.source
    if source.kind == "gguf":
        raise UnsupportedModel(
            f"{source.given} is a GGUF: {format} files are made from a Hugging Face folder",
            hint="name the folder that the GGUF was made from, or build --format gguf",
        )
    if request.tensor_types:
        raise UsageError(f"--tensor-type names GGUF types, and the format is {format}", hint="leave it out")
    if request.imatrix != "default" and request.format != "all":
        raise UsageError(f"--imatrix weighs GGUF's types, and the format is {format}", hint="leave it out")
    if request.calibration is not None and request.format != "all":
        raise UsageError(
            f"--calibration is read for GGUF's importance matrix and for networks; {format} rounds a language model"
            " without data",
            hint="leave it out",
        )
