"""Training loops that distil_speed.py compares: one student, one order of rows, one schedule; only the loss differs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from edgeshrink.compress.distill.models import load_frozen, load_model, mixed_precision
from edgeshrink.compress.distill.objectives.logits import Logits
from edgeshrink.compress.distill.objectives.sequence import Sequence
from edgeshrink.compress.distill.teacher_cache.cache import TeacherCache
from edgeshrink.compress.training.objective import Batch, Frozen
from edgeshrink.core.training import ObjectiveSettings

BETAS, DECAY = (0.9, 0.95), 0.01
MIXED = mixed_precision("cpu")
Loss = Callable[[Batch], Any]


@dataclass
class Setup:
    """What a comparison is on. `batch` rows a step, `micro` of them at once."""

    student: Path
    teacher: Path
    batch: int
    micro: int
    rate: float
    warmup: int
    threads: int
    trl: Path | None
    cache: Path | None = None
    frozen: Any = field(default=None)

    def loaded_teacher(self) -> Any:
        if self.frozen is None:
            self.frozen = load_frozen(self.teacher)
        return self.frozen


def plain_text(setup: Setup, student: Any) -> Loss:
    """Cross-entropy as transformers has it, all logits at once."""

    def loss(batch: Batch) -> Any:
        return student(input_ids=batch.tokens, labels=batch.tokens).loss

    return loss


def plain_online(setup: Setup, student: Any) -> Loss:
    """Forward KL from whole logits of both, as one writes it by hand."""
    teacher = setup.loaded_teacher()

    def loss(batch: Batch) -> Any:
        with torch.no_grad():
            theirs = teacher(input_ids=batch.tokens).logits[:, :-1].float().log_softmax(-1)
        ours = student(input_ids=batch.tokens).logits[:, :-1].float().log_softmax(-1)
        return functional.kl_div(ours.flatten(0, 1), theirs.flatten(0, 1), log_target=True, reduction="batchmean")

    return loss


def _mean(objective: Any) -> Loss:
    def loss(batch: Batch) -> Any:
        return objective(batch).total / batch.weights.sum()

    return loss


def our_text(setup: Setup, student: Any) -> Loss:
    return _mean(Sequence(student))


def our_online(setup: Setup, student: Any) -> Loss:
    return _mean(Logits(student, ObjectiveSettings(), Frozen(setup.loaded_teacher()), None))


def our_cached(setup: Setup, student: Any) -> Loss:
    if setup.cache is None:
        raise ValueError("no cache")
    return _mean(Logits(student, ObjectiveSettings(cached=True), None, TeacherCache.open(setup.cache)))


LOOPS: dict[str, Callable[[Setup, Any], Loss]] = {
    "cross-entropy, plain torch": plain_text,
    "cross-entropy, ours": our_text,
    "cached, ours": our_cached,
    "online, ours": our_online,
    "online, plain torch": plain_online,
}
TRL = "online, TRL GKDTrainer"


def train(setup: Setup, name: str, tokens: NDArray[np.int64], *, rows: NDArray[np.int64]) -> tuple[Any, list[float]]:
    """The student after one pass over `tokens` (n, length), whose numbers in the corpus are `rows`; seconds a step."""
    torch.manual_seed(0)
    student = load_model(setup.student)
    loss = LOOPS[name](setup, student)
    steps = len(tokens) // setup.batch
    optimizer = torch.optim.AdamW(student.parameters(), lr=setup.rate, betas=BETAS, weight_decay=DECAY)
    seconds = []
    for step in range(steps):
        began = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = setup.rate * min((step + 1) / max(1, setup.warmup), (steps - step) / (steps - setup.warmup))
        for batch in _micro(tokens, rows, step, setup):
            with torch.autocast("cpu", torch.bfloat16, enabled=MIXED):
                value = loss(batch) * (len(batch.tokens) / setup.batch)
            value.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - began)
    return student, seconds


def train_trl(setup: Setup, tokens: NDArray[np.int64], model: Path | None = None) -> list[float]:
    """The same by TRL in a process of its own; `model`: where the student goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="distil-trl-") as scratch:
        folder = Path(scratch)
        np.save(folder / "rows.npy", tokens)
        order = {
            "student": str(setup.student),
            "teacher": str(setup.teacher),
            "rows": str(folder / "rows.npy"),
            "batch": setup.batch,
            "micro": setup.micro,
            "rate": setup.rate,
            "warmup": setup.warmup,
            "decay": DECAY,
            "mixed": MIXED,
            "threads": setup.threads,
            "scratch": str(folder / "scratch"),
            "model": None if model is None else str(model),
            "out": str(folder / "out.json"),
        }
        (folder / "order.json").write_text(json.dumps(order))
        script = Path(__file__).with_name("distil_trl.py")
        done = subprocess.run(
            [str(setup.trl), "-W", "ignore", str(script), str(folder / "order.json")],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            print(done.stderr[-2000:], file=sys.stderr)
            raise SystemExit(f"TRL ended with {done.returncode}")
        return list(json.loads((folder / "out.json").read_text())["seconds"])


def _micro(tokens: NDArray[np.int64], rows: NDArray[np.int64], step: int, setup: Setup) -> Iterator[Batch]:
    for first in range(step * setup.batch, (step + 1) * setup.batch, setup.micro):
        some = slice(first, first + setup.micro)
        weights = torch.ones(tokens[some].shape)
        weights[:, 0] = 0
        yield Batch(torch.from_numpy(tokens[some]), weights, torch.from_numpy(rows[some]), step)
