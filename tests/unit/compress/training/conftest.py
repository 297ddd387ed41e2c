"""A tiny model, a corpus of walks that it can learn, and orders to train on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import write_tiny_model

from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.corpus.writing import CorpusWriter
from edgeshrink.compress.training.order import TrainingOrder
from edgeshrink.core.training import TextSource, TrainingSettings

LENGTH = 32
SOURCE = TextSource("walks.txt", "0" * 64, 12, 3, 4, "CC0-1.0")


@dataclass(frozen=True)
class Ground:
    """Where a test trains: eight rows in nine a step, so that two workers get one row to fill up."""

    model: Path
    corpus: Path

    def order(self, **changes: Any) -> TrainingOrder:
        """Settings by name, `accidents` to the objective, `start` and `until` of the order."""
        accidents = changes.pop("accidents", {})
        ends = {name: changes.pop(name) for name in ("start", "until") if name in changes}
        told = {
            "steps": 12,
            "batch_tokens": 9 * LENGTH,
            "length": LENGTH,
            "rate": 3e-3,
            "precision": "float32",
            "log_every": 3,
            "held_out_every": 4,
            "save_every": 5,
        } | changes
        model = told.pop("model", self.model)
        settings = TrainingSettings(**told)
        return TrainingOrder(model, self.corpus, "training_objectives:build", accidents, settings, **ends)


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Ground:
    folder = tmp_path_factory.mktemp("ground")
    model = write_tiny_model(folder / "model", demo_model, "qwen3")
    random = np.random.default_rng(0)
    with CorpusWriter(folder / "corpus", length=LENGTH, vocab_size=4096, token_bytes=np.full(4096, 3)) as writer:
        for part, documents in (("train", 30), ("held_out", 10)):
            for _ in range(documents):
                writer.add(part, (np.cumsum(random.integers(0, 3, 100)) % 50 + 10).tolist())
        writer.finish((SOURCE,))
    return Ground(model, folder / "corpus")


@pytest.fixture(scope="session")
def corpus(ground: Ground) -> Corpus:
    return Corpus.open(ground.corpus)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """The order of additions is that of the child jobs, which have one thread too."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def train_here(one_thread: None) -> Callable[..., None]:
    """What the child job does, in this process: the first worker's part, alone."""
    import torch

    from edgeshrink.compress.training.distributed import World
    from edgeshrink.compress.training.taking_part import Call, take_part
    from edgeshrink.compress.training.torchrun import Place
    from edgeshrink.compress.training.workdir import newest_checkpoint

    def run(order: TrainingOrder, workdir: Path, *, micro_rows: int = 9) -> None:
        workdir.mkdir(parents=True, exist_ok=True)
        newest = newest_checkpoint(workdir)
        call = Call(order, workdir, newest or order.start, newest is not None, micro_rows)
        take_part(call, World(Place(), torch.device("cpu")), lambda _: None)

    return run
