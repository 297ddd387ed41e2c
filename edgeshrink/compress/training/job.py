"""The child's side of `train` on the first worker: plan the memory, call the others, take part. Imports torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.training import calls
from edgeshrink.compress.training.agent_store import open_store
from edgeshrink.compress.training.batches import rows_per_step
from edgeshrink.compress.training.distributed import join, worker_device
from edgeshrink.compress.training.forms import form_of
from edgeshrink.compress.training.memory import planned_micro_rows
from edgeshrink.compress.training.order import TrainingOrder, order_of
from edgeshrink.compress.training.record import read_run, run_of
from edgeshrink.compress.training.taking_part import Call, call_json, is_mixed, take_part
from edgeshrink.compress.training.torchrun import Place
from edgeshrink.compress.training.torchrun import place as this_place
from edgeshrink.compress.training.workdir import newest_checkpoint
from edgeshrink.core.model import ModelFacts
from edgeshrink.devices.memory import available_ram
from edgeshrink.errors import StepFailed

Emit = Callable[[dict[str, object]], None]


def job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Train. Parameters: `order` (`order_json`) and `workdir`. What it made stands in workdir when this returns."""
    order, workdir = order_of(parameters["order"]), Path(parameters["workdir"])
    place = this_place()
    newest = newest_checkpoint(workdir)
    state = order.start if newest is None else newest
    call = Call(order, workdir, state, newest is not None, _micro_rows(order, place, state))
    store = open_store(place)
    world = join(place, 0 if store is None else calls.publish(store, place, call_json(call)), store)
    try:
        take_part(call, world, emit)
    except RuntimeError as problem:
        if place.workers == 1 or isinstance(problem, torch.OutOfMemoryError):
            raise
        raise StepFailed(
            f"the workers lost each other: {(str(problem).strip().splitlines() or ['no reason given'])[0]}",
            hint="the last checkpoint stands; the same command goes on from it, on any number of workers",
        ) from problem
    finally:
        world.leave()
    return {}


def _micro_rows(order: TrainingOrder, place: Place, state: Path | None) -> int:
    """Rows at once: as before where the run goes on with as many workers, else what fits. PlanError: nothing does."""
    if state is not None:
        run = run_of(read_run(state))
        if run.workers == place.workers and run.micro_rows:
            return run.micro_rows
    device = worker_device(place)
    cuda = device.type == "cuda"
    free = torch.cuda.mem_get_info(device)[0] if cuda else available_ram() // place.local_workers
    rows = rows_per_step(order.settings)
    facts = inspect_folder(order.student, str(order.student), weights=False)
    return planned_micro_rows(
        order.student.name,
        facts,
        _teacher(order),
        order.settings,
        place.workers,
        rows=-(-rows // place.workers),
        free=free,
        mixed=is_mixed(order.settings.precision, device),
        where="GPU memory" if cuda else "RAM",
        trained=form_of(order.form, order.form_parameters).trained(facts),
    )


def _teacher(order: TrainingOrder) -> ModelFacts | None:
    folder = order.objective_parameters.get("teacher")
    if not folder or order.objective_parameters.get("cache"):
        return None
    return inspect_folder(Path(folder), str(folder), weights=False)
