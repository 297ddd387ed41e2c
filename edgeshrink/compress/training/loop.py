"""The training loop: steps, the curve, held-out looks, checkpoints. Imports torch.

A step depends on its number, the settings and the parameters alone: rows come from the corpus's order, randomness is
seeded anew in every step, and a checkpoint holds all the rest. So a run that was killed goes on as if it had not been,
to the last bit on one worker.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgeshrink.compress.training import checkpoint
from edgeshrink.compress.training.batches import Batches, held_out_rows, micro_batches, rows_per_step
from edgeshrink.compress.training.distributed import World, one_exchange
from edgeshrink.compress.training.held_out import look
from edgeshrink.compress.training.objective import Batch
from edgeshrink.compress.training.optimizers import Optimizers
from edgeshrink.compress.training.order import TrainingOrder
from edgeshrink.compress.training.record import (
    LOG_FILE,
    Entry,
    Pending,
    Run,
    append_entry,
    entry_json,
    run_json,
)
from edgeshrink.compress.training.wrapped import batch_of
from edgeshrink.core.training import Point
from edgeshrink.errors import StepFailed

_TIMED = slice(2, 8)  # steps 3 to 8: the first ones allocate and warm up
Tell = Callable[[dict[str, object]], None]


@dataclass(slots=True)
class Loop:
    """Everything that a run is made of. `module`: what DDP or FSDP2 made of the wrapped `objective`."""

    order: TrainingOrder
    workdir: Path
    world: World
    corpus: Any
    objective: Any
    module: Any
    plain: Any
    """The wrapped objective itself: what FSDP2 hooks, and what DDP is a wrapper of."""
    optimizers: Optimizers
    run: Run
    mixed: bool
    tell: Tell
    stopping: Callable[[], bool]
    last: Path | None = None
    """The newest checkpoint in the folder, None while nothing is saved that is not in it."""
    _look_s: float = 0.0

    def go(self) -> Path | None:
        """Train to the end of the run or of the segment; the last checkpoint, or None where it was told to stop."""
        settings = self.order.settings
        batches = Batches(self.corpus, rows_per_step(settings), settings.seed)
        if self.run.looked < 0:
            self._look()
        while not self._over():
            started = time.perf_counter()
            if not self._step(batches):
                self._save()
                return None
            self._count(batches, time.perf_counter() - started)
            step = self.run.step
            if step % settings.log_every == 0:
                self._point()
            if step % settings.held_out_every == 0:
                self._look()
            if step % settings.save_every == 0:
                self._save()
        if self.run.pending.tokens:
            self._point()
        if self.run.looked != self.run.step:
            self._look()
        return self._save() if self.last is None else self.last

    def _over(self) -> bool:
        ends = [end for end in (self.run.planned, self.order.until) if end is not None]
        return bool(ends) and self.run.step >= min(ends)

    def _step(self, batches: Batches) -> bool:
        """One step of the optimizer. False, and nothing done, where some worker was told to stop."""
        run, world, settings = self.run, self.world, self.order.settings
        torch.manual_seed(_seed(settings.seed, run.step, world.place.rank))
        texts = [
            self.plain.texts(
                batch_of(self.corpus, micro.rows, micro.live, part="train", step=run.step, device=world.device)
            )
            for micro in micro_batches(batches.rows(run.step), world.place.rank, world.place.workers, run.micro_rows)
        ]
        own = sum(float(self.plain.counted(batch).total) for batch in texts)
        weight, stops = world.total((own, float(self.stopping())))
        if stops:
            return False
        sums = self._backward(texts, weight)
        norm = torch.nn.utils.clip_grad_norm_(self.optimizers.parameters, settings.clip or float("inf"))
        if not (math.isfinite(sums[""]) and bool(torch.isfinite(_whole_norm(norm)))):
            self._save()
            raise StepFailed(
                f"the loss is not finite in step {run.step + 1} of the training; the state before it is kept",
                hint="lower --rate, or look for text in the data that makes no sense to the model",
            )
        self.optimizers.step(run.step, run.planned)
        run.pending.weight += weight
        for name, value in sums.items():
            run.pending.sums[name] = run.pending.sums.get(name, 0.0) + value
        return True

    def _backward(self, batches: list[Batch], weight: float) -> dict[str, float]:
        """Gradients of the mean over all workers' tokens; the sums of the losses by name, "" for what is minimized."""
        sums: dict[str, Any] = {}
        for number, batch in enumerate(batches, 1):
            with one_exchange(self.module, number == len(batches)):
                with torch.autocast(self.world.device.type, torch.bfloat16, enabled=self.mixed):
                    total, parts = self.module(batch)
                # DDP and FSDP2 average over the workers; the mean wanted is over all tokens that count.
                (total * (self.world.place.workers / max(weight, 1.0))).backward()
            for name, value in {"": total, **parts}.items():
                held = value.detach().double()
                sums[name] = sums[name] + held if name in sums else held
        names = sorted(sums)
        return dict(zip(names, self.world.total([float(sums[name]) for name in names]), strict=True))

    def _count(self, batches: Batches, seconds: float) -> None:
        run = self.run
        tokens = batches.rows_per_step * self.order.settings.length
        self.last = None
        run.step += 1
        run.tokens += tokens
        run.seconds += seconds
        run.pending.tokens += tokens
        run.pending.seconds += seconds
        if run.planned is None:
            run.timed.append(seconds)
            if len(run.timed) >= _TIMED.stop:
                run.planned = self.world.agreed(self._planned())
        if self.world.writes:
            self.tell(self._progress())

    def _planned(self) -> int:
        """Steps that fit in the minutes, by the speed of the first ones and of one held-out look."""
        settings = self.order.settings
        each = statistics.median(self.run.timed[_TIMED]) + self._look_s / settings.held_out_every
        left = (settings.minutes or 0.0) * 60.0 - self.run.seconds - self._look_s
        return self.run.step + max(0, int(left / each))

    def _end(self) -> int:
        return min((end for end in (self.run.planned, self.order.until) if end is not None), default=0)

    def _progress(self) -> dict[str, object]:
        run, end = self.run, self._end()
        speed = run.pending.tokens / max(run.pending.seconds, 1e-9)
        tokens = (end - run.step) * rows_per_step(self.order.settings) * self.order.settings.length
        return {"done": run.step, "total": end, "tokens_s": speed, "left_s": tokens / speed if end else None}

    def _point(self) -> None:
        run, pending = self.run, self.run.pending
        weight = max(pending.weight, 1.0)
        rate = self.optimizers.each[0].param_groups[0]["lr"]
        self._log(
            Point(
                step=run.step,
                tokens=run.tokens,
                seconds=run.seconds,
                loss=pending.sums.get("", 0.0) / weight,
                rate=float(rate),
                tokens_s=pending.tokens / max(pending.seconds, 1e-9),
                parts=tuple((name, value / weight) for name, value in sorted(pending.sums.items()) if name),
            )
        )
        run.pending = Pending()

    def _look(self) -> None:
        started = time.perf_counter()
        rows = held_out_rows(self.corpus, self.order.settings)
        self.run.looked = self.run.step
        if rows.size:
            self._log(look(self.plain, self.corpus, rows, self.run, self.world, mixed=self.mixed))
        self._look_s = time.perf_counter() - started

    def _log(self, entry: Entry) -> None:
        self.last = None
        if self.world.writes:
            append_entry(self.workdir / LOG_FILE, entry)
            self.tell({"entry": entry_json(entry), "run": self._data()})

    def _data(self) -> dict[str, Any]:
        return run_json(self.run, self.order, self.corpus.sources)

    def _save(self) -> Path:
        self.last = checkpoint.save(
            self.workdir, self.run.step, self._data(), self.objective, self.optimizers, self.world
        )
        return self.last


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _whole_norm(norm: Any) -> Any:
    """FSDP2's norm is put together from all workers when it is asked for."""
    gather = getattr(norm, "full_tensor", None)
    return norm if gather is None else gather()
