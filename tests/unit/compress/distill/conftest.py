"""A teacher, a smaller student and a corpus of random words that all tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from one_thread import one_torch_thread
from tiny_models import write_tiny_model

from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.corpus.writing import CorpusWriter

__all__ = ["one_torch_thread"]

LENGTH = 24


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
