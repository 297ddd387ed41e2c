"""The export of a language model and the reading of a `.pte`, as a child process runs them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from edgeshrink.core.model import ModelFacts
from edgeshrink.runtimes.job_stages import Stages

Emit = Callable[[dict[str, object]], None]


def export_job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """`facts`, `types` by tensor, `delegate`, `context`, `longest`, `constants`, `file`, `threads`, `trained`
    (the folder with the codes that are written as they are, or None) -> what it took, and `contents` as `inspect_job`
    returns them."""
    stages = Stages(emit)
    stages.begin("import the libraries")
    import torch

    from edgeshrink.catalog.grid_codes import trained_for
    from edgeshrink.export.executorch.codes import set_codes
    from edgeshrink.export.executorch.contents import read_pte
    from edgeshrink.export.executorch.language_lower import WEIGHT_ONLY, lower_decoder
    from edgeshrink.export.executorch.quantize import quantize_decoder
    from edgeshrink.export.executorch.weights import load_decoder

    # What the libraries deprecate among themselves, once per node: nothing that anyone here could act on.
    warnings.simplefilter("ignore")
    torch.set_num_threads(parameters["threads"])
    facts = TypeAdapter(ModelFacts).validate_python(parameters["facts"])
    delegate, file = str(parameters["delegate"]), Path(parameters["file"])
    stages.begin("read the weights")
    module = load_decoder(facts, parameters["context"])
    if delegate != "xnnpack":
        module.use_plain_means()
    stages.begin("quantize")
    with torch.no_grad():
        quantize_decoder(module, parameters["types"], weight_only=delegate in WEIGHT_ONLY)
        if parameters["trained"] is not None:
            set_codes(module, trained_for(Path(parameters["trained"])), facts)
    lower_decoder(module, delegate, parameters["constants"], parameters["longest"], file, stages)
    stages.begin("read it back")
    found = read_pte(file)
    return {**stages.result([]), "contents": found}


def inspect_job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """`file` -> what `contents.read_pte` says of it, as JSON values."""
    from edgeshrink.export.executorch.contents import read_pte

    return read_pte(Path(parameters["file"]))
