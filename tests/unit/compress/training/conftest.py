"""A tiny model, a corpus of walks that it can learn, and orders to train on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_models import write_tiny_model
from training_ground import LENGTH, SOURCE, Ground

from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.corpus.writing import CorpusWriter
from edgeshrink.compress.training.order import TrainingOrder


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
