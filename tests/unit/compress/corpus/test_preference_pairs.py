"""Pairs of answers: records of every form, the last answer alone, and rows of two halves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import write_tiny_model
from tokenizers import Tokenizer

from edgeshrink.catalog.overlap import Items
from edgeshrink.compress.corpus.answers import encode_answers
from edgeshrink.compress.corpus.apart import write_kept_apart
from edgeshrink.compress.corpus.build import build_corpus
from edgeshrink.compress.corpus.chats import Rendered
from edgeshrink.compress.corpus.corpus import REJECTED, Corpus
from edgeshrink.compress.corpus.documents import Document
from edgeshrink.compress.corpus.encoding import Encoded, Encoder
from edgeshrink.compress.corpus.material import Material
from edgeshrink.compress.corpus.pairs import kind_of, pair_of
from edgeshrink.compress.corpus.pairs_build import build_pairs
from edgeshrink.compress.corpus.pairs_job import job
from edgeshrink.errors import DataError

HALF = 48
USER = {"role": "user", "content": "What is the time?"}
LATE, EARLY = ({"role": "assistant", "content": word} for word in ("It is late.", "Early."))


@pytest.fixture(scope="module")
def tokenizer(demo_model: Path) -> Tokenizer:
    return Tokenizer.from_file(str(demo_model / "tokenizer.json"))


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "What is the time?", "chosen": "It is late.", "rejected": "Early."},
        {"messages": [USER], "chosen": "It is late.", "rejected": EARLY},
        {"prompt": [USER], "chosen": [LATE], "rejected": [EARLY]},
        {"chosen": [USER, LATE], "rejected": [USER, EARLY]},
        {"chosen": [{"from": "human", "value": "What is the time?"}, LATE], "rejected": [USER, EARLY]},
    ],
    ids=["texts", "messages", "conversational", "both whole", "ShareGPT"],
)
def test_every_form_is_the_same_pair(record: dict[str, Any]) -> None:
    pair = pair_of(record, "here")
    assert kind_of(record) == "pair"
    assert pair.chosen == Document(messages=(USER, LATE), turn=True)
    assert pair.rejected == Document(messages=(USER, EARLY), turn=True)
    assert pair.prompt == Document(messages=(USER,)).identity and not pair.alike


def test_a_long_talk_is_a_pair_of_its_last_answers() -> None:
    talk = [USER, LATE, {"role": "user", "content": "Really?"}]
    pair = pair_of({"chosen": [*talk, LATE], "rejected": [*talk, EARLY]}, "here")
    assert pair.prompt == Document(messages=tuple(talk)).identity and not pair.chosen.turn
    parted = pair_of({"chosen": [USER, LATE, talk[2], LATE], "rejected": [USER, EARLY, talk[2], LATE]}, "here")
    assert parted.prompt == Document(messages=(USER,)).identity and not parted.alike
    assert pair_of({"prompt": "a", "chosen": "b", "rejected": "b"}, "here").alike


def test_what_is_to_be_ranked_and_what_to_be_read_is_told_apart() -> None:
    assert kind_of({"prompt": "a", "answers": ["b", "c"]}) == "answers"
    assert kind_of({"prompt": "a"}) == kind_of({"messages": [USER]}) == kind_of({"question": "a"}) == "prompt"
    for other in ({"text": "a"}, {"messages": [USER, LATE]}, {"prompt": "a", "answer": "b"}, {"id": 1}, "text", None):
        assert kind_of(other) is None
    assert kind_of({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}) is None


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"prompt": "a", "chosen": "b"}, "line 3: there is no 'rejected'"),
        ({"chosen": "a", "rejected": "b"}, "no prompt that both"),
        ({"chosen": [USER, LATE], "rejected": [EARLY]}, "no prompt that both"),
        ({"prompt": "a", "chosen": " ", "rejected": "b"}, "chosen says nothing"),
        ({"prompt": "a", "chosen": [], "rejected": "b"}, "chosen says nothing"),
        ({"prompt": "a", "chosen": 3, "rejected": "b"}, "expected a list of messages"),
        ({"prompt": [USER], "chosen": [USER], "rejected": [EARLY]}, "does not end with an answer"),
        ({"prompt": 3, "chosen": "a", "rejected": "b"}, "expected text"),
    ],
)
def test_what_is_no_pair_is_refused_with_its_line(record: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        pair_of(record, "line 3")


def _learnt(tokenizer: Tokenizer, one: Encoded | DataError) -> str:
    assert isinstance(one, Encoded)
    return str(
        tokenizer.decode(
            [token for token, weight in zip(one.ids, one.weights, strict=True) if weight], skip_special_tokens=False
        )
    )


def test_the_last_answer_alone_counts(demo_model: Path, tokenizer: Tokenizer) -> None:
    encoder = Encoder.open(demo_model, "answers")
    talk = Document(messages=(USER, LATE, {"role": "user", "content": "Really?"}, EARLY))
    found = encode_answers(encoder, [talk, Document(text="Two and two is four", answer_at=14), Document(text="Alone")])
    assert [_learnt(tokenizer, one) for one in found] == ["Early.<|end|>", " four<|end|>", ""]
    whole = encoder.encode([talk])[0]
    assert isinstance(whole, Encoded) and isinstance(found[0], Encoded)
    assert found[0].ids == whole.ids
    assert _learnt(tokenizer, whole) == "It is late.<|end|>Early.<|end|>"


def test_a_model_without_chats_reads_one_turn_as_text(demo_model: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    plain = Encoder.open(write_tiny_model(tmp_path / "plain", demo_model, settings=False), "answers")
    assert not plain.has_chats
    (one,) = encode_answers(plain, [Document(messages=(USER, LATE), turn=True)])
    assert _learnt(tokenizer, one).removesuffix("<|end|>") == "It is late."
    with pytest.raises(DataError, match="no chat template"):
        encode_answers(plain, [Document(messages=(USER, LATE))])


def test_an_answer_that_the_template_hides_is_refused_alone(
    demo_model: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two chats the first is shown as one whose last turn could not be found."""
    talk = Document(messages=(USER, LATE, {"role": "user", "content": "Really?"}, EARLY))

    def hidden(template: str, documents: Any, **rest: Any) -> list[Rendered]:
        text = "<|user|>a<|end|><|assistant|>b<|end|>"
        return [Rendered(text, ((8, 9),)), Rendered(text, ((8, 9), (29, len(text))))]

    monkeypatch.setattr("edgeshrink.compress.corpus.answers.render_documents", hidden)
    refused, shown = encode_answers(Encoder.open(demo_model, "answers"), [talk, talk])
    assert isinstance(refused, DataError) and "does not show" in refused.message
    assert _learnt(tokenizer, shown) == "b<|end|>"


def _record(number: int, answer: str = "") -> dict[str, Any]:
    words = ("fox", "hen", "roof", "town", "tree", "rain")
    said = f"the {words[number % 6]} of house {number // 4}"
    return {"prompt": f"What stands at {number // 2}?", "chosen": f"It is {said}.", "rejected": answer or f"No {said}"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> tuple[Path, Path, Path]:
    """The person's file, the pairs made of it, and a corpus of text with rows of HALF tokens."""
    folder = tmp_path_factory.mktemp("pairs")
    records = [_record(number) for number in range(120)]
    records += [records[7], {**records[9], "rejected": records[9]["chosen"]}, _record(400, "very " * 60 + "long")]
    mine = folder / "mine.jsonl"
    mine.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    pairs = folder / "pairs.jsonl"
    pairs.write_text("".join(json.dumps({**record, "source": 0}) + "\n" for record in records), encoding="utf-8")
    (folder / "page.txt").write_text("A fox sat under a tree and counted his hens.\n\n" * 400, encoding="utf-8")
    build_corpus(Material((folder / "page.txt",), demo_model), folder / "text", length=HALF)
    return mine, pairs, folder / "text"


@pytest.fixture(scope="module")
def built(files: tuple[Path, Path, Path], demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """By way of the child process."""
    mine, pairs, _ = files
    return build_pairs(
        pairs, Material((mine,), demo_model), tmp_path_factory.mktemp("corpus"), half=HALF, notes=("told",)
    )


def _again(files: tuple[Path, Path, Path], demo: Path, folder: Path, **other: Any) -> Corpus:
    mine, pairs, _ = files
    (folder / "scratch").mkdir(parents=True)
    write_kept_apart(folder / "scratch", (), other.pop("items", ()))
    places = {"pairs": str(pairs), "paths": [str(mine)], "tokenizer_folder": str(demo), "folder": str(folder)}
    rest = {"scratch": str(folder / "scratch"), "half": HALF, "text": None, "held_out": 0.01, "seed": 0, "notes": []}
    job({**places, **rest, **other}, lambda event: None)
    return Corpus.open(folder)


def _halves(corpus: Corpus, row: int, part: Any = "train") -> tuple[Any, Any]:
    tokens, weights = corpus.batch(np.array([row]), part)
    return tokens.reshape(2, HALF), weights.reshape(2, HALF)


def test_a_row_is_the_prompt_with_both_answers_and_a_prompt_is_held_out_with_all_its_pairs(
    built: Corpus, tokenizer: Tokenizer
) -> None:
    assert built.length == 2 * HALF and built.rows + built.held_out_rows == 120
    assert 18 <= built.held_out_rows <= 24  # a fifth at most
    seen: dict[str, set[str]] = {"train": set(), "held_out": set()}
    wanted = {
        (record["prompt"], record["chosen"], record["rejected"])
        for record in (_record(number) for number in range(120))
    }
    for part, rows in (("train", built.rows), ("held_out", built.held_out_rows)):
        for row in range(rows):
            tokens, weights = _halves(built, row, part)
            said = []
            for half, value in ((0, 1), (1, REJECTED)):
                assert set(np.unique(weights[half])) == {0, value} and weights[half, 0] == 0
                answer = tokenizer.decode(tokens[half][weights[half] > 0], skip_special_tokens=False)
                text = tokenizer.decode(tokens[half], skip_special_tokens=False)
                prompt = text.split("<|user|>")[1].split("<|end|>")[0]
                assert text.startswith(f"<|begin|><|user|>{prompt}<|end|><|assistant|>{answer}")
                assert (
                    text.removeprefix(f"<|begin|><|user|>{prompt}<|end|><|assistant|>{answer}").replace("<|pad|>", "")
                    == ""
                )
                said.append(answer.removesuffix("<|end|>"))
            wanted.remove((prompt, *said))
            seen[part].add(prompt)
    assert not wanted and seen["train"].isdisjoint(seen["held_out"])


def test_what_was_left_out_is_told_and_where_the_rest_is_from(built: Corpus) -> None:
    assert built.notes == (
        "told",
        f"1 pairs were left out: an answer ends beyond {HALF} tokens (--length)",
        "1 pairs were left out: both answers are the same",
        "1 pairs stood there twice and were taken once",
    )
    (source,) = built.sources
    assert (source.name, source.documents) == ("mine.jsonl", 120)


def test_only_the_bytes_of_chosen_answers_count_as_text(built: Corpus, tokenizer: Tokenizer) -> None:
    tokens, weights = _halves(built, 3, "held_out")
    answer = tokenizer.decode(tokens[0][weights[0] > 0])
    assert built.held_out_bytes(np.array([3])) == len(answer.encode())


def test_text_follows_the_pairs_two_passages_a_row(
    files: tuple[Path, Path, Path], demo_model: Path, built: Corpus, tmp_path: Path
) -> None:
    text = Corpus.open(files[2])
    mixed = _again(files, demo_model, tmp_path / "mixed", text=str(files[2]))
    assert mixed.held_out_rows == built.held_out_rows
    assert mixed.rows == built.rows + min(built.rows, text.rows // 2)
    assert [source.name for source in mixed.sources] == ["mine.jsonl", "page.txt"]
    known = {bytes(row) for row in text.batch(np.arange(text.rows))[0]}
    for row in range(built.rows, mixed.rows):
        tokens, weights = _halves(mixed, row)
        assert {bytes(half) for half in tokens} <= known
        assert weights.max() == 1 and (weights[:, 0] == 0).all()


def test_the_same_pairs_give_the_same_bytes(
    files: tuple[Path, Path, Path], demo_model: Path, built: Corpus, tmp_path: Path
) -> None:
    assert _again(files, demo_model, tmp_path / "again").digest == built.digest
    assert _again(files, demo_model, tmp_path / "all", held_out=0.0).rows == 120


def test_what_the_suite_asks_and_what_holds_nothing_is_refused(
    files: tuple[Path, Path, Path], demo_model: Path, tmp_path: Path
) -> None:
    asked = Items("mine", tuple(f"What stands at {number}? It is the fox of house {number}." for number in (0, 3, 6)))
    with pytest.raises(DataError, match=r"of mine stand in mine\.jsonl"):
        _again(files, demo_model, tmp_path / "asked", items=(asked,))
    with pytest.raises(DataError, match="no pair is left to learn from: all are longer than 8 tokens"):
        _again(files, demo_model, tmp_path / "short", half=8)
    nothing = tmp_path / "nothing.jsonl"
    nothing.write_text(json.dumps({"prompt": "a", "chosen": "b", "rejected": "b", "source": 0}), encoding="utf-8")
    with pytest.raises(DataError, match="in none is one answer other"):
        _again(files, demo_model, tmp_path / "alike", pairs=str(nothing))
