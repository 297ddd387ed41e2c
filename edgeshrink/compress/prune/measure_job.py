"""The child's side of `measure`: each cut model in memory, one after the other. Imports torch."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.distill.models import load_frozen
from edgeshrink.compress.prune.calibration_rows import calibration_rows
from edgeshrink.compress.prune.cut_module import cut_module
from edgeshrink.compress.prune.cuts import check_cut, cut_from_json
from edgeshrink.compress.prune.measuring import CUTS_FILE, TEXT_FILE
from edgeshrink.compress.prune.predictions import Whole
from edgeshrink.core.model import ModelFacts

CutModel = Callable[[Any, ModelFacts, Any], contextlib.AbstractContextManager[Any]]
"""(whole model, its facts, cut as JSON) -> the cut model, for as long as the block lasts."""


def job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """{"kl": a number for each cut}. Parameters: see `measure`."""
    return distances(parameters, emit, lambda facts, cut: check_cut(facts, cut_from_json(cut)), _cut)


def distances(
    parameters: dict[str, Any],
    emit: Callable[[dict[str, object]], None],
    check: Callable[[ModelFacts, Any], None],
    cut_model: CutModel,
) -> dict[str, object]:
    """The job for cuts of any kind; every one is checked before the model is loaded."""
    torch.set_num_threads(int(parameters["threads"]))
    folder, model_folder = Path(parameters["folder"]), Path(parameters["model"])
    facts = inspect_folder(model_folder, str(model_folder))
    cuts = json.loads((folder / CUTS_FILE).read_text(encoding="utf-8"))
    for cut in cuts:
        check(facts, cut)
    text = (folder / TEXT_FILE).read_bytes().decode("utf-8")
    rows = calibration_rows(
        facts, text, tokens=int(parameters["tokens"]), length=int(parameters["length"]), seed=parameters["seed"]
    )
    model = load_frozen(model_folder, mixed=False)
    whole = Whole(model, torch.from_numpy(rows))
    found = []
    for number, cut in enumerate(cuts):

        def tell(done: int, batches: int, before: int = number) -> None:
            emit({"done": before * batches + done, "total": len(cuts) * batches})

        with cut_model(model, facts, cut) as smaller:
            found.append(whole.mean_kl(smaller, tell))
    return {"kl": found}


@contextlib.contextmanager
def _cut(model: Any, facts: ModelFacts, cut: Any) -> Iterator[Any]:
    yield cut_module(model, facts, cut_from_json(cut))
