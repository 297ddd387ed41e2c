"""A corpus of cases: pairs stay together, one case a row, the held-out decisions beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from edgeshrink.catalog.overlap import Items
from edgeshrink.compress.corpus.apart import write_kept_apart
from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.corpus.decision_files import Decision, Openings, count_decisions, read_decisions
from edgeshrink.compress.corpus.decisions import build_decisions
from edgeshrink.compress.corpus.decisions_job import job
from edgeshrink.compress.corpus.material import Material
from edgeshrink.errors import DataError, UsageError

_PAIRS = 40
_LONGEST = 96
_THINGS = ("kite", "anchor", "saddle", "violin", "basket", "compass")


def _tool(name: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"thing": {"type": "string"}}}
    return {"type": "function", "function": {"name": name, "description": "", "parameters": parameters}}


def _pair(number: int) -> list[dict[str, Any]]:
    asked = [{"role": "user", "content": f"Bring the {_THINGS[number % 6]} number {number}."}]
    call = {"tool_calls": [{"function": {"name": "bring", "arguments": {"thing": f"number {number}"}}}]}
    return [
        {"messages": asked, "tools": [_tool("bring")], "answer": call, "pair": number},
        {"messages": asked, "tools": [_tool("paint")], "answer": f"I cannot bring number {number}.", "pair": number},
    ]


def _passages(number: int) -> list[dict[str, Any]]:
    about = {"question": f"What holds box {number}?", "pair": f"box {number}"}
    return [
        {**about, "passage": f"Box {number} holds a {_THINGS[number % 6]}.", "answer": f"A {_THINGS[number % 6]}."},
        {**about, "passage": f"Box {number + 1} holds a {_THINGS[number % 6]}.", "answer": None},
    ]


def _write(file: Path, records: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Halves of pairs far apart, a case that stands there twice, one alone, and one that is too long."""
    tools = [_pair(number) for number in range(_PAIRS)]
    passages = [_passages(number) for number in range(_PAIRS)]
    long = {**_pair(0)[0], "messages": [{"role": "user", "content": "Bring it. " * 200}], "pair": "long"}
    alone = {key: value for key, value in _pair(1000)[0].items() if key != "pair"}
    records = [*(pair[0] for pair in tools), *(one for pair in passages for one in pair), *(pair[1] for pair in tools)]
    return _write(tmp_path_factory.mktemp("cases") / "cases.jsonl", [*records, tools[3][0], long, alone])


def _here(files: list[Path], model: Path, folder: Path, **options: Any) -> Corpus:
    """The job in this process."""
    scratch = folder / "scratch"
    scratch.mkdir(parents=True)
    write_kept_apart(scratch, (), options.pop("items", ()))
    parameters = {
        "paths": list(map(str, files)), "tokenizer_folder": str(model), "folder": str(folder), "scratch": str(scratch),
        "length": _LONGEST, "decision_weight": 8, "held_out": 0.1, "seed": 5,
    }  # fmt: skip
    job({**parameters, **options}, lambda _: None)
    return Corpus.open(folder)


@pytest.fixture(scope="module")
def built(cases: Path, demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("decisions")
    material = Material((cases,), demo_model, held_out=0.1, seed=5)
    return build_decisions(material, folder, length=_LONGEST, decision_weight=8)


def _texts(corpus: Corpus, model: Path, part: Any) -> list[str]:
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    count = corpus.rows if part == "train" else corpus.held_out_rows
    tokens, _ = corpus.batch(np.arange(count), part)
    return [str(tokenizer.decode(row[row != corpus.padding].tolist(), skip_special_tokens=False)) for row in tokens]


def test_every_case_has_a_row_of_its_own_with_one_token_that_decides(built: Corpus, demo_model: Path) -> None:
    rows = [*_texts(built, demo_model, "train"), *_texts(built, demo_model, "held_out")]
    assert len(rows) == 4 * _PAIRS + 1
    assert all(row.count("<|user|>") == 1 and row.endswith("<|end|>") for row in rows)
    for part, count in (("train", built.rows), ("held_out", built.held_out_rows)):
        _, weights = built.batch(np.arange(count), part)  # type: ignore[arg-type]
        assert ((weights == 8).sum(1) == 1).all()
        assert set(np.unique(weights)) == {0, 1, 8}
    assert built.length <= _LONGEST
    assert built.length % 8 == 0


def test_both_cases_of_a_pair_are_on_one_side_and_a_fifth_is_held_out(built: Corpus, demo_model: Path) -> None:
    train, held_out = (" ".join(_texts(built, demo_model, part)) for part in ("train", "held_out"))
    for number in range(_PAIRS):
        for words in (f"number {number}.", f"box {number}?"):
            assert (words in train) != (words in held_out)
    share = built.held_out_rows / (built.rows + built.held_out_rows)
    assert 0.1 < share <= 0.2  # 200 cases would be more than there are


def test_the_held_out_decisions_stand_beside_the_rows(built: Corpus) -> None:
    decisions = list(read_decisions(built.folder))
    assert len(decisions) == count_decisions(built.folder) == built.held_out_rows
    assert {decision.family for decision in decisions} == {"tools", "passages"}
    whole = [decision for decision in decisions if decision.pair is not None]
    sides = {(decision.family, decision.pair): set[str]() for decision in whole}
    for decision in whole:
        sides[decision.family, decision.pair].add(decision.side)
    assert all(pair in ({"call", "text"}, {"refusal", "answer"}) for pair in sides.values())
    tokens, weights = built.batch(np.arange(built.held_out_rows), "held_out")
    for decision, row, weight in zip(decisions, tokens, weights, strict=True):
        place = int(np.flatnonzero(weight == 8)[0])
        assert decision.ids == row[:place].tolist()
        assert row[place] == (decision.opens if decision.is_first else decision.other)


def test_openings_know_what_a_call_begins_with(built: Corpus, demo_model: Path) -> None:
    openings = Openings.read(built.folder)
    tokenizer = Tokenizer.from_file(str(demo_model / "tokenizer.json"))
    for decision in read_decisions(built.folder):
        spelled = [tokenizer.id_to_token(token) for token in openings.of(decision)]
        assert spelled == (['{"'] if decision.family == "tools" else ["The"])


def test_what_opens_both_sides_somewhere_counts_only_where_it_parts_them() -> None:
    openings = Openings()
    first, other = (Decision("passages", "refusal", None, [1, 2], 0, *tokens) for tokens in ((7, 8), (9, 7)))
    for decision in (first, other):
        openings.see(decision)
    assert openings.of(first) == [7, 9]  # here 7 refuses
    assert openings.of(other) == [9]  # here it answers
    begun = Decision("passages", "refusal", None, [1, 2, 7], 1, 3, 4)
    assert openings.of(begun) == [3]


def test_what_was_left_out_or_stands_alone_is_said(built: Corpus) -> None:
    assert built.duplicates == 1
    assert [note.split(":")[0] for note in built.notes] == [
        "1 cases were left out",
        "2 cases have no near miss",  # the long one's and the lonely one
        "1 stood there twice and were taken once",
    ]


def test_the_same_cases_give_the_same_bytes(built: Corpus, cases: Path, demo_model: Path, tmp_path: Path) -> None:
    again = _here([cases], demo_model, tmp_path / "again")
    assert again.digest == built.digest
    for name in ("decisions.jsonl", "openings.json"):
        assert (again.folder / name).read_bytes() == (built.folder / name).read_bytes()


def test_other_text_is_packed_into_rows_of_the_length_asked_for(cases: Path, demo_model: Path, tmp_path: Path) -> None:
    texts = _write(tmp_path / "texts.jsonl", [{"text": f"Story {number}: a fox ran home."} for number in range(40)])
    mixed = _here([cases, texts], demo_model, tmp_path / "mixed", decision_weight=1)
    assert mixed.length == _LONGEST
    stories = [row for row in _texts(mixed, demo_model, "train") if "Story" in row]
    assert stories
    assert all(row.count("Story") > 1 and "<|user|>" not in row for row in stories)
    assert [source.documents for source in mixed.sources] == [4 * _PAIRS + 1, 40]
    _, weights = mixed.batch(np.arange(mixed.rows))
    assert set(np.unique(weights)) == {0, 1}


def test_nothing_held_out_leaves_no_decisions(demo_model: Path, tmp_path: Path) -> None:
    file = _write(tmp_path / "few.jsonl", _pair(1))
    corpus = _here([file], demo_model, tmp_path / "few", held_out=0.0)
    assert (corpus.rows, corpus.held_out_rows, count_decisions(corpus.folder)) == (2, 0, 0)


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([{"text": "A fox."}], "no case to decide"),
        ([{**_pair(1)[0], "messages": [{"role": "user", "content": "Go. " * 300}]}], "more than"),
        ([{**_pair(1)[0], "answer": 5}], "line 1"),
    ],
)
def test_data_without_a_case_that_can_be_learned_is_refused(
    records: list[dict[str, Any]], words: str, demo_model: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=words):
        _here([_write(tmp_path / "wrong.jsonl", records)], demo_model, tmp_path / "wrong")


def test_a_folder_of_cases_is_refused_not_read_without_their_answers(demo_model: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    _write(tmp_path / "data" / "cases.jsonl", _pair(1))
    with pytest.raises(DataError, match="folders"):
        _here([tmp_path / "data"], demo_model, tmp_path / "out")


def test_cases_that_an_examination_asks_are_refused(cases: Path, demo_model: Path, tmp_path: Path) -> None:
    asked = Items("exam.jsonl", ("What holds box 7? Box 7 holds an anchor, and nobody but Hugo has ever seen it.",))
    records = [{"question": "Who?", "passage": asked.items[0], "answer": "Hugo.", "pair": 1}]
    with pytest.raises(DataError, match=r"exam\.jsonl"):
        _here([cases, _write(tmp_path / "leak.jsonl", records)], demo_model, tmp_path / "leak", items=[asked])


@pytest.mark.parametrize("weight", [0, 255])
def test_a_weight_that_no_row_can_hold_is_refused(weight: int, cases: Path, demo_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="1 to 254"):
        build_decisions(Material((cases,), demo_model), tmp_path, length=_LONGEST, decision_weight=weight)


def test_a_torn_file_of_openings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "openings.json").write_text('{"openings": [{"family": "tools"}]}', encoding="utf-8")
    with pytest.raises(DataError, match="not whole"):
        Openings.read(tmp_path)
