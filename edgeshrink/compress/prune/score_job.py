"""The child's side of `score`: text runs through the model under every observer at once. Imports torch."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.distill.models import hidden_states, load_frozen
from edgeshrink.compress.prune.calibration_rows import calibration_rows
from edgeshrink.compress.prune.interface import Observer, observers
from edgeshrink.compress.prune.measured_kl import removal_order
from edgeshrink.compress.prune.predictions import Whole, batches
from edgeshrink.compress.prune.scores import INPUTS, Scores, write_scores
from edgeshrink.core.shape import Shape
from edgeshrink.errors import RuntimeFailed
from edgeshrink.runtimes.job_stages import Stages

PARTIAL = "order.partial.json"
_ARRAYS = ("layers", "ffn", "groups", "hidden")


def job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """Write the scores into `folder`. Parameters: see `score`."""
    torch.set_num_threads(int(parameters["threads"]))
    stages = Stages(emit)
    folder, model_folder = Path(parameters["folder"]), Path(parameters["model"])
    names = tuple(parameters["methods"])
    facts = inspect_folder(model_folder, str(model_folder))
    text = Path(parameters["text"]).read_bytes().decode("utf-8")
    rows = torch.from_numpy(
        calibration_rows(
            facts, text, tokens=int(parameters["tokens"]), length=int(parameters["length"]), seed=parameters["seed"]
        )
    )
    stages.begin("load")
    model = load_frozen(model_folder, mixed=False)
    arrays = observed(model, rows, names, stages) if observers(names) else {}
    order: list[tuple[int, float]] = []
    if "measured-kl" in names:
        stages.begin("depth")
        fewer = rows[: max(1, int(parameters["depth_tokens"]) // rows.shape[1])]
        asked = parameters["removals"]
        most = facts.n_layers - 1 if asked is None else min(int(asked), facts.n_layers - 1)
        order = _order(model, fewer, most, folder / PARTIAL, parameters, stages)
    inputs = {name: arrays[f"inputs.{name}"] for name in INPUTS if f"inputs.{name}" in arrays}
    scores = Scores(
        shape=Shape.of(facts),
        tokens=rows.numel(),
        text_sha256=str(parameters["text_sha256"]),
        methods=names,
        order=tuple(layer for layer, _ in order),
        order_kl=tuple(kl for _, kl in order),
        inputs=inputs,
        **{name: arrays.get(name) for name in _ARRAYS},
    )
    write_scores(folder, scores)
    (folder / PARTIAL).unlink(missing_ok=True)
    return stages.result([])


def observed(model: Any, rows: Tensor, names: Sequence[str], stages: Stages) -> Mapping[str, NDArray[Any]]:
    """What all observers of the methods `names` saw in one pass over `rows` (n, length)."""
    with contextlib.ExitStack() as stack:
        watching = [stack.enter_context(_observer(path, model)) for path in observers(names)]
        stages.begin("activations")
        done = 0
        for batch in batches(rows):
            hidden_states(model, batch)
            done += batch.numel()
            stages.step(done, rows.numel(), "tokens")
        arrays = {name: value for observer in watching for name, value in observer.arrays().items()}
    wrong = sorted(name for name, value in arrays.items() if not np.isfinite(value).all())
    if wrong:
        raise RuntimeFailed(f"the scores of {wrong[0]} are not finite: the model computes nonsense on this text")
    return arrays


def _observer(path: str, model: Any) -> Observer:
    module, _, name = path.partition(":")
    kind: type[Observer] = getattr(importlib.import_module(module), name)
    return kind(model)


def _order(
    model: Any, rows: Tensor, most: int, partial: Path, parameters: Mapping[str, Any], stages: Stages
) -> list[tuple[int, float]]:
    """From where a killed run with the same rows left it."""
    key = hashlib.sha256(f"{parameters['model']}\0".encode() + rows.numpy().tobytes()).hexdigest()

    def save(order: list[tuple[int, float]]) -> None:
        aside = partial.with_suffix(".part")
        aside.write_text(json.dumps({"key": key, "order": order}), encoding="utf-8")
        aside.replace(partial)

    known: list[tuple[int, float]] = []
    if partial.is_file():
        found = json.loads(partial.read_text(encoding="utf-8"))
        known = [(int(layer), float(kl)) for layer, kl in found["order"]] if found["key"] == key else []
    whole = Whole(model, rows)
    return removal_order(model, whole, most, known=known[:most], save=save, tell=stages.step)
