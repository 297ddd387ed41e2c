"""How many held-out pairs a model agrees with, against transformers' own loss; and which answers a rank puts first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgeshrink.compress.corpus.corpus import REJECTED, Corpus  # noqa: E402
from edgeshrink.compress.corpus.encoding import Encoded  # noqa: E402
from edgeshrink.compress.corpus.pairs_job import row_of  # noqa: E402
from edgeshrink.compress.corpus.writing import CorpusWriter  # noqa: E402
from edgeshrink.compress.distill.agreeing_job import job  # noqa: E402
from edgeshrink.compress.distill.models import load_model  # noqa: E402
from edgeshrink.compress.distill.sequences.ranking import best_and_worst  # noqa: E402

HALF, PAIRS = 16, 21


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    random = np.random.default_rng(4)
    with CorpusWriter(tmp_path_factory.mktemp("pairs"), length=2 * HALF, vocab_size=4096, bos_id=0) as writer:
        for _ in range(PAIRS):
            halves = []
            for length in random.integers(6, HALF + 1, 2):
                ids = random.integers(3, 4096, int(length)).tolist()
                halves.append(Encoded([0, *ids[1:]], [0] * 4 + [1] * (int(length) - 4)))
            writer.add_row("held_out", *row_of(*halves, HALF, 2))
            writer.add_row("train", *row_of(*halves, HALF, 2))
        writer.add_row("train", *([5] * 2 * HALF, [1] * 2 * HALF))
        return writer.finish()


def test_agreement_is_by_the_mean_loss_of_each_answer(pairs: Corpus, tiny_teacher: Path, tiny_student: Path) -> None:
    events: list[dict[str, object]] = []
    models = [tiny_teacher, tiny_student]
    found = job({"models": list(map(str, models)), "corpus": str(pairs.folder), "threads": 1}, events.append)
    assert found["pairs"] == PAIRS and events[-1] == {"done": 2 * PAIRS, "total": 2 * PAIRS}
    tokens, weights = pairs.batch(np.arange(PAIRS), "held_out")
    for place, folder in enumerate(models):
        model = load_model(folder).eval()
        margins = []
        for row in range(PAIRS):
            losses = []
            for half, value in ((0, 1), (1, REJECTED)):
                ids = torch.from_numpy(tokens[row].reshape(2, HALF)[half]).long()[None]
                counted = torch.from_numpy(weights[row].reshape(2, HALF)[half] == value)[None]
                with torch.no_grad():
                    losses.append(model(input_ids=ids, labels=torch.where(counted, ids, -100)).loss.item())
            margins.append(losses[1] - losses[0])
        assert found["agreeing"][place] == sum(margin > 0 for margin in margins)  # type: ignore[index]
        assert found["margins"][place] == pytest.approx(np.mean(margins), abs=1e-4)  # type: ignore[index]


def test_the_best_and_the_worst_are_ranked_and_near_ties_are_not() -> None:
    assert best_and_worst([-1.0, -0.2, -3.0, -3.0]) == (1, 2)
    assert best_and_worst([-1.0, -1.05]) is None
    assert best_and_worst([-1.0, -1.05], tie=0.01) == (0, 1)
    assert best_and_worst([0.0, 0.0], tie=0.0) is None
    assert best_and_worst([1.0]) is None
