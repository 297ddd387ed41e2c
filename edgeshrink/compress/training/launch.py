"""Train a student in a child process, or in one on each worker that torchrun started. Imports no torch."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeshrink.compress.training.order import TrainingOrder, check_order, order_json
from edgeshrink.compress.training.record import LOG_FILE, entry_of, read_log, read_record, record_of
from edgeshrink.compress.training.torchrun import place
from edgeshrink.compress.training.workdir import CHECKPOINTS, STATE, finished
from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.core.training import HeldOutPoint, Point, TrainingRecord

JOB = "edgeshrink.compress.training.job:job"
DISMISS = "edgeshrink.compress.training.agent_store:dismiss"
TASK = "training"
_STOP_S = 120.0  # a step, and its state onto the disk


def _unread(_: TrainingRecord) -> None:
    """Nobody draws the curve."""


def train(
    order: TrainingOrder,
    workdir: Path,
    *,
    listener: Listener = silent,
    on_log: Callable[[TrainingRecord], None] = _unread,
) -> TrainingRecord:
    """Train as `order` says, in `workdir`, and return the record of the run so far, all segments together.

    In the end `workdir` holds `model/` (a Hugging Face folder in the student's type), `state/` (what the next segment
    starts from) and `log.jsonl`. Until then it holds checkpoints: called again after a kill it goes on from the newest,
    to the same end; a finished one is returned as it is. `on_log` gets the record at every point of the curve.

    PlanError where it would not fit in memory; StepFailed where the loss is not finite or a worker was lost, with the
    state kept; Ctrl-C and SIGTERM end the step that runs and keep its state.
    """
    from edgeshrink.runtimes.child import run_job

    check_order(order)
    workdir.mkdir(parents=True, exist_ok=True)
    if not finished(workdir):
        parameters = {"order": order_json(order), "workdir": str(workdir.absolute())}
        run_job(JOB, parameters, on_event=_Watch(workdir, listener, on_log), stop_s=_STOP_S)
    shutil.rmtree(workdir / CHECKPOINTS, ignore_errors=True)
    return read_record(workdir / STATE)


def is_follower() -> bool:
    """Is this process one of torchrun's, but not the first? It then has nothing to do but `follow.follow`."""
    return place().rank > 0


def dismiss_followers() -> None:
    """Send the other workers home, at the end of the first one's command; outside torchrun there are none."""
    from edgeshrink.runtimes.child import run_job

    here = place()
    if here.workers > 1 and here.rank == 0:
        run_job(DISMISS, {})


class _Watch:
    """What the child tells, as progress and as the record so far."""

    def __init__(self, workdir: Path, listener: Listener, on_log: Callable[[TrainingRecord], None]) -> None:
        self._log = workdir / LOG_FILE
        self._listener = listener
        self._on_log = on_log
        self._points: list[Point] | None = None
        self._held_out: list[HeldOutPoint] = []

    def __call__(self, event: dict[str, Any]) -> None:
        if "entry" in event:
            self._add(event["entry"])
            self._on_log(record_of(event["run"], tuple(self._points or ()), tuple(self._held_out)))
        else:
            unit = f"steps, {event['tokens_s']:,.0f} tok/s{_left(event['left_s'])}"
            self._listener(Progress(TASK, event["done"], event["total"], unit))

    def _add(self, data: dict[str, Any]) -> None:
        if self._points is None:  # the child has begun: what a run of before told stands in the file, and this entry
            points, held_out = read_log(self._log)
            self._points, self._held_out = list(points), list(held_out)
        entry = entry_of(data)
        held: list[Any] = self._points if isinstance(entry, Point) else self._held_out
        if entry not in held[-1:]:
            held.append(entry)


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, hours = seconds / 60, seconds / 3600
    words = f"{seconds:.0f} s" if seconds < 90 else f"{minutes:.0f} min" if minutes < 90 else f"{hours:.1f} h"
    return f", {words} left"
