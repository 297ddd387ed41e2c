"""The child's side of `measure`: each cut model in memory, one after the other. Imports torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.distill.models import load_frozen
from edgeshrink.compress.prune.calibration_rows import calibration_rows
from edgeshrink.compress.prune.cut_module import cut_module
from edgeshrink.compress.prune.cuts import check_cut, cut_from_json
from edgeshrink.compress.prune.predictions import Whole


def job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """{"kl": a number for each cut}. Parameters: see `measure`."""
    torch.set_num_threads(int(parameters["threads"]))
    folder, model_folder = Path(parameters["folder"]), Path(parameters["model"])
    facts = inspect_folder(model_folder, str(model_folder))
    cuts = [cut_from_json(value) for value in json.loads((folder / "cuts.json").read_text(encoding="utf-8"))]
    for cut in cuts:
        check_cut(facts, cut)
    text = (folder / "text.txt").read_bytes().decode("utf-8")
    rows = calibration_rows(
        facts, text, tokens=int(parameters["tokens"]), length=int(parameters["length"]), seed=parameters["seed"]
    )
    model = load_frozen(model_folder, mixed=False)
    whole = Whole(model, torch.from_numpy(rows))
    found = []
    for number, cut in enumerate(cuts):

        def tell(done: int, batches: int, before: int = number) -> None:
            emit({"done": before * batches + done, "total": len(cuts) * batches})

        found.append(whole.mean_kl(cut_module(model, facts, cut), tell))
    return {"kl": found}
