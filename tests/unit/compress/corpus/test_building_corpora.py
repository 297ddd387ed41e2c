"""From files and folders to a corpus: everything in it, the held-out part apart, the same bytes every time."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from edgeshrink.catalog.overlap import Items
from edgeshrink.catalog.texts import Text
from edgeshrink.compress.corpus.apart import write_kept_apart
from edgeshrink.compress.corpus.build import build_corpus
from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.corpus.job import job
from edgeshrink.compress.corpus.material import Material
from edgeshrink.compress.corpus.sources import find_sources
from edgeshrink.core.events import Progress
from edgeshrink.errors import DataError

_LENGTH = 64
Built = tuple[Corpus, list[Progress]]
_WORDS = ("the fox sat under an old tree and counted", "his seven hens while it rained", "on every roof of the town")
_SINGLE = " ".join(_WORDS).split()


def _story(name: str, words: int = 60) -> str:
    random = Random(name)
    return f"{name}: " + " ".join(random.choice(_SINGLE) for _ in range(words)) + "."


def _lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "LICENSE").write_text("MIT License\n\nCopyright")
    (folder / "book.txt").write_text("\n\n".join(_story(f"page {page}") for page in range(200)))
    (folder / "page.md").write_text(f"---\nlicense: cc0-1.0\n---\n{_story('markdown')}")
    (folder / "texts.jsonl").write_text(_lines([{"text": _story(f"text {number}")} for number in range(50)] * 2))
    chats = [
        {"messages": [{"role": "user", "content": _story(f"question {number}", 9)},
                      {"role": "assistant", "content": _story(f"answer {number}", 9)}]}
        for number in range(30)
    ]  # fmt: skip
    (folder / "chats.jsonl.gz").write_bytes(gzip.compress(_lines(chats).encode()))
    return folder


@pytest.fixture(scope="module")
def built(data: Path, demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Of all of it, by way of the child process."""
    seen: list[Progress] = []
    folder = tmp_path_factory.mktemp("corpus")
    paths = tuple(data / name for name in ("book.txt", "page.md", "texts.jsonl", "chats.jsonl.gz"))
    return build_corpus(Material(paths, demo_model, seed=5), folder, length=_LENGTH, listener=seen.append), seen


def _here(paths: list[Path], model: Path, folder: Path, **options: Any) -> Corpus:
    """The job in this process."""
    scratch = folder / "scratch"
    scratch.mkdir(parents=True)
    write_kept_apart(scratch, (), ())
    parameters = {
        "paths": list(map(str, paths)), "tokenizer_folder": str(model), "folder": str(folder), "scratch": str(scratch),
        "length": _LENGTH, "limit_tokens": None, "held_out": 0.01, "seed": 5, "learn": "all",
    }  # fmt: skip
    job({**parameters, **options}, lambda _: None)
    return Corpus.open(folder)


def _text(corpus: Corpus, model: Path, part: Any) -> str:
    rows = corpus.rows if part == "train" else corpus.held_out_rows
    tokens = corpus.batch(np.arange(rows), part)[0].ravel()
    # 0: BOS, which also stands where a document goes on in the next row; 2: padding.
    ids = [token for token in tokens.tolist() if token not in (0, 2)]
    return str(Tokenizer.from_file(str(model / "tokenizer.json")).decode(ids, skip_special_tokens=False))


def test_every_document_is_in_one_part_and_once(built: Built, demo_model: Path) -> None:
    made, _ = built
    train, held_out = (_text(made, demo_model, part) for part in ("train", "held_out"))
    names = (
        [f"page {page}: " for page in range(200)]
        + [f"text {number}: " for number in range(50)]
        + [f"<|user|>question {number}: " for number in range(30)]
        + [f"<|assistant|>answer {number}: " for number in range(30)]
        + ["markdown: "]
    )
    assert {name: train.count(name) + held_out.count(name) for name in names} == dict.fromkeys(names, 1)
    assert "license" not in train + held_out
    assert made.duplicates == 50
    assert made.notes == ("50 documents stood there twice and were taken once",)


def test_sources_are_told_with_size_digest_and_licence(built: Built, data: Path) -> None:
    made, _ = built
    told = {source.name: source for source in made.sources}
    assert {name: source.license for name, source in told.items()} == {
        "book.txt": "MIT", "page.md": "cc0-1.0", "texts.jsonl": "MIT", "chats.jsonl.gz": "MIT",
    }  # fmt: skip
    assert told["texts.jsonl"].documents == 50 and told["chats.jsonl.gz"].documents == 30
    assert told["book.txt"].sha256 == Text.of("", (data / "book.txt").read_bytes()).sha256
    assert told["book.txt"].nbytes == (data / "book.txt").stat().st_size
    assert sum(source.documents for source in made.sources) == made.documents


def test_a_part_is_held_out_with_the_bytes_of_its_text(built: Built, demo_model: Path) -> None:
    made, _ = built
    share = made.held_out_rows / (made.rows + made.held_out_rows)
    assert made.held_out_rows >= 16 and share < 0.25
    spelt = made.held_out_bytes(np.arange(made.held_out_rows))
    text = _text(made, demo_model, "held_out")
    for mark in ("<|end|>", "<|user|>", "<|assistant|>"):
        text = text.replace(mark, "")
    assert spelt == len(text.encode())


def test_progress_is_told_up_to_the_end(built: Built) -> None:
    _, seen = built
    assert list(dict.fromkeys(step.task for step in seen)) == [
        "data: looking through it",
        "data: tokens",
        "data: digests",
    ]
    last = [step for step in seen if step.task == "data: tokens"][-1]
    assert last.unit == "tokens" and 0.7 * last.total <= last.done <= last.total


def test_nothing_is_left_beside_the_corpus(built: Built) -> None:
    assert sorted(path.name for path in built[0].folder.iterdir()) == [
        "corpus.json", "held_out.bytes", "held_out.tokens", "held_out.weights", "train.tokens", "train.weights",
    ]  # fmt: skip


def test_the_same_call_gives_the_same_bytes(built: Built, data: Path, demo_model: Path, tmp_path: Path) -> None:
    made, _ = built
    paths = [data / name for name in ("book.txt", "page.md", "texts.jsonl", "chats.jsonl.gz")]
    again = _here(paths, demo_model, tmp_path / "again")
    assert (again.digest, again.sources) == (made.digest, made.sources)


def test_another_seed_gives_another_order_and_holds_out_the_same(data: Path, demo_model: Path, tmp_path: Path) -> None:
    one, other = (_here([data / "book.txt"], demo_model, tmp_path / str(seed), seed=seed) for seed in (5, 6))
    assert one.digest != other.digest
    held_out = [_text(made, demo_model, "held_out") for made in (one, other)]
    pages = [{page for page in range(200) if f"page {page}: " in text} for text in held_out]
    assert pages[0] == pages[1] != set()


def test_a_limit_takes_from_all_over_every_source(data: Path, demo_model: Path, tmp_path: Path) -> None:
    paths = [data / "book.txt", data / "texts.jsonl"]
    whole = _here(paths, demo_model, tmp_path / "whole", held_out=0)
    limited = _here(paths, demo_model, tmp_path / "limited", held_out=0, limit_tokens=whole.tokens // 3)
    assert whole.held_out_rows == limited.held_out_rows == 0
    assert whole.tokens // 3 - 16 <= limited.tokens <= whole.tokens // 3
    shares = [part.tokens / all_of.tokens for part, all_of in zip(limited.sources, whole.sources, strict=True)]
    assert all(0.15 < share < 0.55 for share in shares), shares
    pages = [page for page in range(200) if f"page {page}: " in _text(limited, demo_model, "train")]
    assert min(pages) < 60 and max(pages) > 140


def test_a_limit_beyond_the_data_takes_all_of_it(data: Path, demo_model: Path, tmp_path: Path) -> None:
    whole = _here([data / "book.txt"], demo_model, tmp_path / "whole")
    limited = _here([data / "book.txt"], demo_model, tmp_path / "limited", limit_tokens=10**9)
    assert limited.digest == whole.digest


def test_of_chats_only_the_answers_count(data: Path, demo_model: Path, tmp_path: Path) -> None:
    made = _here([data / "chats.jsonl.gz"], demo_model, tmp_path / "made", learn="answers", held_out=0)
    tokens, weights = made.batch(np.arange(made.rows))
    learned = Tokenizer.from_file(str(demo_model / "tokenizer.json")).decode(tokens[weights > 0].tolist())
    assert learned.count("answer ") == 30 and "question" not in learned


def test_a_folder_of_files_is_one_source(data: Path, demo_model: Path, tmp_path: Path) -> None:
    (source,) = _here([data], demo_model, tmp_path / "made").sources
    assert (source.name, source.license) == (data.name, "MIT")
    assert source.nbytes == sum(path.stat().st_size for path in data.iterdir() if path.name != "LICENSE")


def test_records_to_test_with_are_left_alone_in_a_folder_and_read_where_they_are_named(tmp_path: Path) -> None:
    for split in ("train", "test", "validation-0"):
        (tmp_path / f"{split}.jsonl").write_text(_lines([{"text": f"{split} one"}]))
    texts = [[one.text for source in find_sources(paths) for one in source.documents(100)]
             for paths in ([tmp_path], [tmp_path / "test.jsonl"])]  # fmt: skip
    assert texts == [["train one"], ["test one"]]


def test_what_a_suite_asks_is_refused_with_file_and_passage(data: Path, demo_model: Path, tmp_path: Path) -> None:
    exam = Text.of("exam.txt", f"{_story('page 17')} {_story('page 18')}".encode())
    asked = Items("asked.jsonl", tuple(_story(f"question {number}", 9) for number in range(3)))
    paths, chats = (data / "page.md", data / "book.txt"), (data / "chats.jsonl.gz",)
    with pytest.raises(
        DataError, match=r"book\.txt holds \d+ of the \d+ runs of 13 words of exam\.txt, the first: page 17"
    ):
        build_corpus(Material(paths, demo_model, kept_apart=(exam,)), tmp_path, length=_LENGTH)
    with pytest.raises(DataError, match="holds no corpus"):
        Corpus.open(tmp_path)
    with pytest.raises(DataError, match=r"3 of the 3 items of asked\.jsonl stand in chats\.jsonl\.gz too"):
        build_corpus(Material(chats, demo_model, kept_items=(asked,)), tmp_path, length=_LENGTH)
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("gone.txt", None, "there is no data at"),
        ("table.csv", "a,b\n", "is no data to train on"),
        ("empty.txt", "\n", "holds no text"),
        ("wrong.jsonl", '{"text": "a"}\n{"body": 1}\n', "line 2: none of its keys"),
    ],
)
def test_what_cannot_be_learned_from_is_told(
    tmp_path: Path, demo_model: Path, name: str, data: str | None, said: str
) -> None:
    if data is not None:
        (tmp_path / name).write_text(data)
    with pytest.raises(DataError, match=said):
        _here([tmp_path / name], demo_model, tmp_path / "made")
