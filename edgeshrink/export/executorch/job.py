"""The export of a language model and the reading of a `.pte`, as a child process runs them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from edgeshrink.core.model import ModelFacts
from edgeshrink.export.executorch.stages import Emit, Stages, timed


def export_job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """`facts`, `types` by tensor, `delegate`, `context`, `longest`, `constants`, `file`, `threads` -> what it took."""
    stages: Stages = {}
    with timed(stages, "import the libraries", emit):
        import torch

        from edgeshrink.export.executorch.contents import read_pte
        from edgeshrink.export.executorch.delegates import WEIGHT_ONLY, partitioners_for
        from edgeshrink.export.executorch.lower import lower_decoder
        from edgeshrink.export.executorch.quantize import quantize_decoder
        from edgeshrink.export.executorch.weights import load_decoder
    # What the libraries deprecate among themselves, once per node: nothing that anyone here could act on.
    warnings.simplefilter("ignore")
    torch.set_num_threads(parameters["threads"])
    facts = TypeAdapter(ModelFacts).validate_python(parameters["facts"])
    delegate: str = parameters["delegate"]
    with timed(stages, "read the weights", emit):
        module = load_decoder(facts, parameters["context"])
    if delegate != "xnnpack":
        module.use_plain_means()
    with timed(stages, "quantize", emit), torch.no_grad():
        quantize_decoder(module, parameters["types"], weight_only=delegate in WEIGHT_ONLY)
    partitioners = partitioners_for(delegate, module)
    lower_decoder(
        module, partitioners, parameters["constants"], parameters["longest"], Path(parameters["file"]), stages, emit
    )
    with timed(stages, "read it back", emit):
        found = read_pte(Path(parameters["file"]))
    return {"stages": stages, "peak_rss_bytes": _peak_rss_bytes(), "contents": found}


def inspect_job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """`file` -> what `contents.read_pte` says of it, as JSON values."""
    from edgeshrink.export.executorch.contents import read_pte

    return read_pte(Path(parameters["file"]))


def _peak_rss_bytes() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
