"""Writing a teacher's cache and reading it by row and position: against the teacher's own softmax."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgeshrink.compress.corpus.corpus import Corpus  # noqa: E402
from edgeshrink.compress.corpus.writing import CorpusWriter  # noqa: E402
from edgeshrink.compress.distill.models import head_weight, hidden_states, load_frozen  # noqa: E402
from edgeshrink.compress.distill.teacher_cache import job  # noqa: E402
from edgeshrink.compress.distill.teacher_cache.cache import TeacherCache  # noqa: E402
from edgeshrink.compress.distill.teacher_cache.settings import CacheSettings  # noqa: E402
from edgeshrink.compress.distill.teacher_cache.teller import Teller  # noqa: E402
from edgeshrink.compress.distill.teacher_cache.write import write_cache  # noqa: E402
from edgeshrink.core.events import Progress  # noqa: E402
from edgeshrink.errors import DataError  # noqa: E402

SETTINGS = CacheSettings(top=6, draws=5, seed=2)
Written = tuple[Path, tuple[Progress, ...]]


@pytest.fixture(scope="module")
def written(tiny_teacher: Path, tiny_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """By the job in its child process."""
    folder, told = tmp_path_factory.mktemp("cache") / "cache", list[Progress]()
    write_cache(tiny_teacher, tiny_corpus.folder, folder, SETTINGS, threads=1, listener=told.append)
    return folder, tuple(told)


@pytest.fixture(scope="module")
def teller(tiny_teacher: Path) -> Teller:
    return Teller(load_frozen(tiny_teacher), SETTINGS)


def ignore(_: dict[str, object]) -> None:
    """Nobody watches."""


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "train.cache").read_bytes() + (folder / "held_out.cache").read_bytes()).hexdigest()


def test_a_finished_folder_holds_the_cache_alone_and_says_what_it_is(written: Written, tiny_corpus: Corpus) -> None:
    folder, told = written
    facts = TeacherCache.open(folder).facts
    assert sorted(file.name for file in folder.iterdir()) == ["cache.json", "held_out.cache", "train.cache"]
    assert (facts.rows, facts.held_out_rows) == (tiny_corpus.rows, tiny_corpus.held_out_rows)
    assert (facts.corpus, facts.vocab_size, facts.settings) == (tiny_corpus.digest, 4096, SETTINGS)
    assert facts.sha256 == digest(folder)
    size = sum((folder / name).stat().st_size for name in ("train.cache", "held_out.cache"))
    tokens = (tiny_corpus.rows + tiny_corpus.held_out_rows) * tiny_corpus.length
    assert facts.bytes_per_token == pytest.approx(size / tokens)
    assert (told[-1].task, told[-1].done, told[-1].total, told[-1].unit) == ("teacher cache", tokens, tokens, "tokens")


def test_the_likeliest_tokens_are_those_of_the_teacher(written: Written, teller: Teller, tiny_corpus: Corpus) -> None:
    cache, rows = TeacherCache.open(written[0]), np.array([4, 0])
    tokens, weights = tiny_corpus.batch(rows, "held_out")
    with torch.no_grad():
        states = hidden_states(teller.teacher, torch.from_numpy(tokens).long())
        logs = torch.log_softmax(states @ head_weight(teller.teacher).t(), -1).double().numpy()
    where, positions = np.nonzero(weights[:, 1:])
    ids, found, masses = cache.read(rows, tokens, (where, positions), part="held_out")
    exact = logs[where, positions]
    # The head multiplied in bfloat16 where the machine does so: near ties may swap.
    np.testing.assert_allclose(found, np.take_along_axis(exact, ids, 1), atol=0.12)
    best = np.sort(exact, axis=1)[:, ::-1][:, :6]
    np.testing.assert_allclose(found[:, :6], best, atol=0.1)
    np.testing.assert_allclose(masses[:, :6].sum(axis=1), np.exp(best).sum(axis=1), rtol=0.05)
    np.testing.assert_allclose(masses.sum(axis=1), 1, atol=1e-5)
    assert np.isfinite(found).all()


def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(
    written: Written, teller: Teller, tiny_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "_TOKENS_AT_ONCE", 2 * tiny_corpus.length)
    monkeypatch.setattr(job, "_SAVED_EVERY_S", 0.0)

    def stop(event: dict[str, Any]) -> None:
        if event["done"] >= 10 * tiny_corpus.length:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job.write(teller, tiny_corpus, tmp_path, stop)
    with (tmp_path / "train.cache").open("ab") as stream:
        stream.write(b"half a row that was not saved")
    with pytest.raises(DataError, match="holds no teacher cache"):
        TeacherCache.open(tmp_path)
    done = list[Any]()
    job.write(teller, tiny_corpus, tmp_path, lambda event: done.append(event["done"]))
    assert done[0] > 8 * tiny_corpus.length  # not from the beginning
    assert digest(tmp_path) == digest(written[0])
    assert TeacherCache.open(tmp_path).facts.sha256 == digest(written[0])
    job.write(teller, tiny_corpus, tmp_path, stop)  # nothing is left to do


def test_what_was_begun_with_other_settings_is_begun_again(teller: Teller, tiny_corpus: Corpus, tmp_path: Path) -> None:
    other = Teller(teller.teacher, CacheSettings(top=6, draws=5, seed=99))
    job.write(other, tiny_corpus, tmp_path, ignore)
    before = digest(tmp_path)
    job.write(teller, tiny_corpus, tmp_path, ignore)
    assert TeacherCache.open(tmp_path).facts.settings == SETTINGS
    assert digest(tmp_path) != before


def test_a_cache_of_another_corpus_is_refused(written: Written, tiny_corpus: Corpus) -> None:
    cache = TeacherCache.open(written[0])
    none = np.zeros(0, np.int64), np.zeros(0, np.int64)
    tokens, _ = tiny_corpus.batch(np.array([1]))
    cache.read(np.array([1]), tokens, none)
    with pytest.raises(DataError, match="the tokens of a row differ"):
        cache.read(np.array([2]), tokens, none)
    with pytest.raises(DataError, match=r"it has \d+ rows of 24 tokens"):
        cache.read(np.array([10**6]), tokens, none)
    with pytest.raises(DataError, match="of another corpus"):
        cache.read(np.array([1]), tokens[:, :-1], none)


def test_padding_of_the_teacher_goes_to_the_likeliest_token(written: Written, tiny_corpus: Corpus) -> None:
    cache, rows = TeacherCache.open(written[0]), np.array([0])
    tokens, weights = tiny_corpus.batch(rows)
    places = np.nonzero(weights[:, 1:])
    ids, _, masses = cache.read(rows, tokens, places)
    shorter, _, same = cache.read(rows, tokens, places, vocabulary=2000)
    assert (ids >= 2000).any()
    np.testing.assert_array_equal(shorter, np.where(ids < 2000, ids, ids[:, :1]))
    np.testing.assert_array_equal(masses, same)


def test_a_cut_file_and_a_wrong_schema_are_refused(written: Written, tmp_path: Path) -> None:
    folder = shutil.copytree(written[0], tmp_path / "copy")
    (folder / "train.cache").write_bytes(b"short")
    with pytest.raises(DataError, match=r"train\.cache has 5 bytes, expected \d+"):
        TeacherCache.open(folder)
    (folder / "cache.json").write_text('{"schema": "another"}')
    with pytest.raises(DataError, match="is not of the schema edgeshrink-teacher-cache-1"):
        TeacherCache.open(folder)


def test_a_corpus_with_tokens_that_the_teacher_lacks_is_refused(teller: Teller, tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "corpus", length=8, vocab_size=5000) as writer:
        writer.add("train", [1, 4999, 3])
        corpus = writer.finish()
    with pytest.raises(DataError, match=r"vocabulary of 5000, and the teacher knows 4096"):
        job.write(teller, corpus, tmp_path, ignore)
