"""A teacher, a smaller student and a corpus of random words that all tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_models import write_tiny_model

from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.corpus.writing import CorpusWriter

LENGTH = 24


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread() -> Iterator[None]:
    """Tiny products are slower on several threads, far slower on a busy machine."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_teacher(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("distil") / "teacher", demo_model, seed=3)


@pytest.fixture(scope="session")
def tiny_student(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("distil") / "student", demo_model, "qwen3", seed=4)


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Some tokens in it do not count."""
    random = np.random.default_rng(8)
    with CorpusWriter(tmp_path_factory.mktemp("corpus"), length=LENGTH, vocab_size=4096, bos_id=0) as writer:
        for number in range(30):
            size = int(random.integers(5, 60))
            ids = random.integers(3, 4096, size).tolist()
            weights = (random.random(size) < 0.8).astype(int).tolist()
            writer.add("held_out" if number % 6 == 0 else "train", ids, weights)
        return writer.finish()
