"""One worker's part in a job, from the call to the finished folder. Imports torch."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.distill.models import load_model, mixed_precision
from edgeshrink.compress.training import checkpoint
from edgeshrink.compress.training.distributed import World
from edgeshrink.compress.training.forms import Form, form_of
from edgeshrink.compress.training.loop import Loop, Tell
from edgeshrink.compress.training.objective import Objective
from edgeshrink.compress.training.optimizers import Optimizers
from edgeshrink.compress.training.order import TrainingOrder, order_json, order_of
from edgeshrink.compress.training.record import LOG_FILE, Run, read_run, rewind, run_of
from edgeshrink.compress.training.workdir import MODEL, PARTIAL, finish
from edgeshrink.compress.training.wrapped import Wrapped
from edgeshrink.core.training import Precision
from edgeshrink.errors import DataError, StepFailed


@dataclass(frozen=True, slots=True)
class Call:
    """What the first worker tells the others of a job: the order, and where it goes on. `state`: what a run of before
    left, None: from the beginning; `resumed`: that run was ended in this very folder, and did not end by itself."""

    order: TrainingOrder
    workdir: Path
    state: Path | None
    resumed: bool
    micro_rows: int


def call_json(call: Call) -> dict[str, Any]:
    """Crosses to the other workers; they must see the same folders."""
    return {
        "order": order_json(call.order),
        "workdir": str(call.workdir.absolute()),
        "state": None if call.state is None else str(call.state.absolute()),
        "resumed": call.resumed,
        "micro_rows": call.micro_rows,
    }


def call_of(data: Mapping[str, Any]) -> Call:
    """`call_json` read back."""
    state = None if data["state"] is None else Path(data["state"])
    return Call(order_of(data["order"]), Path(data["workdir"]), state, data["resumed"], data["micro_rows"])


def take_part(call: Call, world: World, tell: Tell) -> None:
    """Train; on the first worker the folder is finished when this returns. StepFailed where it was told to stop, or
    the loss is not finite: the last checkpoint stands."""
    _settle(call.order, world)
    with _told_to_stop() as told:
        form = form_of(call.order.form, call.order.form_parameters)
        loop = _loop(call, form, world, tell, told.is_set)
        last = loop.go()
    if last is None:
        raise StepFailed(
            f"the training was stopped after step {loop.run.step}", hint="the same command goes on from there"
        )
    aside = call.workdir / f"{MODEL}{PARTIAL}"
    if world.writes:
        shutil.rmtree(aside, ignore_errors=True)
    facts = inspect_folder(call.order.student, str(call.order.student))
    form.write(facts, loop.objective.student, aside, world)
    if world.writes:
        finish(call.workdir, last, aside)
    world.together()


def is_mixed(precision: Precision, device: torch.device) -> bool:
    """bfloat16 matrix products over float32 parameters, where that is wanted."""
    return mixed_precision(str(device)) if precision == "auto" else precision == "bfloat16"


def _loop(call: Call, form: Form, world: World, tell: Tell, stopping: Callable[[], bool]) -> Loop:
    order, settings = call.order, call.order.settings
    corpus = _corpus(order, inspect_folder(order.student, str(order.student), weights=False).vocab_size)
    cut_up = settings.parallel == "fsdp" and world.place.workers > 1
    student = load_model(order.student, device="cpu" if cut_up else str(world.device))
    form.prepare(student)
    objective = _objective(order, student, world.device)
    plain = Wrapped(objective)
    beside = any(not name.startswith("student.") for name, _ in objective.named_parameters())
    module = world.parallel(plain, objective.student, settings.parallel, may_idle=beside)
    optimizers = Optimizers(objective, settings, form.rate_share * objective.rate_share)
    run = Run(planned=settings.steps)
    if call.state is not None:
        run = run_of(read_run(call.state))
        run.resumed += call.resumed
        checkpoint.restore(call.state, objective, optimizers)
    run.workers, run.micro_rows, run.device = world.place.workers, call.micro_rows, _words(world.device)
    if world.writes:
        rewind((call.state or call.workdir) / LOG_FILE, call.workdir / LOG_FILE, run.step if call.state else -1)
    world.together()
    return Loop(
        order=order,
        workdir=call.workdir,
        world=world,
        corpus=corpus,
        objective=objective,
        module=module,
        plain=plain,
        optimizers=optimizers,
        run=run,
        mixed=is_mixed(settings.precision, world.device),
        tell=tell,
        stopping=stopping,
        last=call.state if call.resumed else None,
    )


def _corpus(order: TrainingOrder, vocab_size: int) -> Corpus:
    corpus = Corpus.open(order.corpus)
    if corpus.length != order.settings.length:
        raise DataError(
            f"{order.corpus} has rows of {corpus.length} tokens, the training is told {order.settings.length}",
            hint="make the corpus again with the same --length",
        )
    if corpus.vocab_size > vocab_size:
        raise DataError(
            f"{order.corpus} is of a vocabulary of {corpus.vocab_size} tokens, {order.student} knows {vocab_size}",
            hint="make the corpus with the student's own tokenizer",
        )
    return corpus


def _objective(order: TrainingOrder, student: Any, device: torch.device) -> Objective:
    module, _, name = order.objective.partition(":")
    build: Callable[..., Objective] = getattr(importlib.import_module(module), name)
    return build(student, dict(order.objective_parameters), device)


def _settle(order: TrainingOrder, world: World) -> None:
    torch.set_num_threads(max(1, order.threads // world.place.local_workers))
    torch.manual_seed(order.settings.seed)
    if world.device.type == "cuda":
        # Without it cuBLAS adds up in whatever order its streams come.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)


def _words(device: torch.device) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' * (threads != 1)}"


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """Set once SIGTERM comes: the step that runs is brought to its end, and its state is kept."""
    told = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        told.set()
        if callable(before):
            before(number, frame)

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)
