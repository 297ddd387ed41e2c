"""Rows on disk: documents come back as they were packed, with their weights; what is damaged is not opened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeshrink.compress.corpus.corpus import CORPUS_FILE, Corpus
from edgeshrink.compress.corpus.writing import CorpusWriter
from edgeshrink.core.training import TextSource
from edgeshrink.errors import DataError

_ALL = np.arange
_BOS = 1


def _written(folder: Path, documents: list[list[int]], **options: Any) -> Corpus:
    with CorpusWriter(folder, **{"length": 8, "vocab_size": 100, **options}) as writer:
        for document in documents:
            writer.add("train", document)
        return writer.finish()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(2, 99), min_size=2, max_size=40), min_size=1, max_size=6), st.booleans())
def test_no_token_is_lost_and_every_one_but_the_first_is_predicted_once(
    tmp_path: Path, documents: list[list[int]], bos: bool
) -> None:
    corpus = _written(tmp_path, documents, bos_id=_BOS if bos else None, padding=0)
    tokens, weights = corpus.batch(_ALL(corpus.rows))
    flat, counted = tokens.ravel(), weights.ravel() > 0
    texts = [token for document in documents for token in document]
    kept = flat[(flat != 0) & (flat != _BOS)].tolist()
    # What predicts nothing may be missing: the lone first token of a document at the end of all.
    assert texts[: len(kept)] == kept and len(texts) - len(kept) <= 1
    assert not weights[:, 0].any()
    if bos:
        assert (tokens[:, 0] == _BOS).all()
        assert flat[counted].tolist() == [token for document in documents for token in document[1:]]
    else:
        starts = np.cumsum([0, *map(len, documents)])[:-1]
        predicted = [place for place in range(len(texts)) if place % 8 and place not in starts]
        assert flat[counted].tolist() == [texts[place] for place in predicted]


def test_a_document_goes_on_in_the_next_row_behind_a_bos(tmp_path: Path) -> None:
    corpus = _written(tmp_path, [[_BOS, *range(10, 20)], [_BOS, 30, 31]], bos_id=_BOS, padding=0)
    tokens, weights = corpus.batch(_ALL(corpus.rows))
    assert tokens.tolist() == [[1, 10, 11, 12, 13, 14, 15, 16], [1, 17, 18, 19, 1, 30, 31, 0]]
    assert weights.tolist() == [[0, 1, 1, 1, 1, 1, 1, 1], [0, 1, 1, 1, 0, 1, 1, 0]]
    assert (corpus.tokens, corpus.documents, corpus.weight(_ALL(2))) == (15, 2, 12.0)
    assert tokens.dtype == np.int32 and weights.dtype == np.float32


def test_a_row_of_which_nothing_is_learned_is_left_out(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path, length=8, vocab_size=100) as writer:
        writer.add("train", list(range(20)), [0] * 16 + [1] * 4)
        corpus = writer.finish()
    assert corpus.batch(_ALL(corpus.rows))[0].tolist() == [[16, 17, 18, 19, 0, 0, 0, 0]]
    assert corpus.batch(_ALL(1))[1].tolist() == [[0, 1, 1, 1, 0, 0, 0, 0]]
    assert corpus.tokens == 4


def test_bytes_are_those_of_the_predicted_tokens_of_held_out_rows(tmp_path: Path) -> None:
    spelt = np.arange(100)
    with CorpusWriter(tmp_path, length=4, vocab_size=100, token_bytes=spelt) as writer:
        writer.add("held_out", [50, 3, 4, 5, 6, 7, 8, 9], [1, 1, 0, 1, 1, 1, 1, 1])
        writer.add("train", [1, 2])
        corpus = writer.finish()
    assert corpus.held_out_rows == 2
    assert [corpus.held_out_bytes(np.array([row])) for row in (0, 1)] == [3 + 5, 7 + 8 + 9]
    assert corpus.held_out_bytes(_ALL(2)) == 32
    assert corpus.batch(np.array([1]), "held_out")[0].tolist() == [[6, 7, 8, 9]]


@pytest.mark.parametrize(("vocab_size", "width"), [(65_536, 2), (65_537, 4)])
def test_tokens_are_as_wide_as_the_vocabulary_needs(tmp_path: Path, vocab_size: int, width: int) -> None:
    corpus = _written(tmp_path, [[1, vocab_size - 1]], vocab_size=vocab_size)
    assert (tmp_path / "train.tokens").stat().st_size == 8 * width
    assert corpus.batch(_ALL(1))[0][0, 1] == vocab_size - 1


def test_each_epoch_has_its_own_order_of_all_rows(tmp_path: Path) -> None:
    corpus = _written(tmp_path, [list(range(100))] * 20)
    orders = [corpus.order(seed, epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(corpus.rows)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert corpus.order(1, 1).tolist() == orders[3]


def test_what_it_was_made_of_is_told(tmp_path: Path) -> None:
    source = TextSource("a.txt", "0" * 64, 12, 1, 2, None)
    with CorpusWriter(tmp_path, length=8, vocab_size=100) as writer:
        writer.add("train", [1, 2])
        written = writer.finish([source], duplicates=3, notes=["a note"])
    opened = Corpus.open(tmp_path)
    assert opened.sources == (source,)
    assert (opened.duplicates, opened.notes, opened.digest) == (3, ("a note",), written.digest)
    assert opened.digest != _written(tmp_path / "other", [[1, 3]]).digest


def test_a_corpus_that_was_never_finished_cannot_be_opened(tmp_path: Path) -> None:
    _written(tmp_path, [[1, 2, 3]])
    with CorpusWriter(tmp_path, length=8, vocab_size=100) as writer:
        writer.add("train", list(range(50)))
    with pytest.raises(DataError, match="holds no corpus"):
        Corpus.open(tmp_path)


@pytest.mark.parametrize("name", ["train.tokens", "train.weights", "held_out.bytes"])
def test_a_file_that_is_cut_off_is_told(tmp_path: Path, name: str) -> None:
    with CorpusWriter(tmp_path, length=8, vocab_size=100) as writer:
        writer.add("train", [1, 2, 3])
        writer.add("held_out", [1, 2, 3])
        writer.finish()
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-1])
    with pytest.raises(DataError, match=rf"{name} has \d+ bytes, expected"):
        Corpus.open(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"), [("schema", "edgeshrink-corpus-0"), ("length", "x"), ("sources", [{"a": 1}])]
)
def test_a_record_that_is_not_one_is_told(tmp_path: Path, key: str, value: object) -> None:
    _written(tmp_path, [[1, 2, 3]])
    data = json.loads((tmp_path / CORPUS_FILE).read_text())
    (tmp_path / CORPUS_FILE).write_text(json.dumps({**data, key: value}))
    with pytest.raises(DataError, match=CORPUS_FILE):
        Corpus.open(tmp_path)


def test_a_token_that_the_vocabulary_has_not_is_refused(tmp_path: Path) -> None:
    with (
        CorpusWriter(tmp_path, length=8, vocab_size=100) as writer,
        pytest.raises(ValueError, match="token 100 of a vocabulary of 100"),
    ):
        writer.add("train", [1, 100])
