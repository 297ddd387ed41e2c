"""Items go to a child process and come back as answers, one line an item."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from built_gguf import build_gguf

from edgeshrink.core.events import Progress
from edgeshrink.engine.steps.asking import ANSWERS, Ask
from edgeshrink.errors import DataError, RuntimeFailed, StepFailed
from edgeshrink.evaluate.answers import answered, read_answers
from edgeshrink.evaluate.asking import ask, items_of
from edgeshrink.evaluate.probes import TEMPERATURES, Choose, Chosen, Generate, Prompt, Refused, Said
from edgeshrink.evaluate.slices import arithmetic
from edgeshrink.evaluate.slices.identity import identified, question
from edgeshrink.evaluate.slices.interface import Item, Settings
from edgeshrink.evaluate.subject import Subject
from edgeshrink.store import Store

SETTINGS = Settings(chat=True, context=128, characters_per_token=2.6)
USER = ({"role": "user", "content": "What is 37+45?"},)


@pytest.fixture(scope="module")
def demo(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    gguf = build_gguf(demo_model, tmp_path_factory.mktemp("demo") / "demo.gguf", "Q8_0").path
    return Subject(gguf, "llama_cpp", "cpu")


def test_answers_come_back_in_the_order_of_items_and_probes(demo: Subject, tmp_path: Path) -> None:
    items = [
        Item("chat", (Generate(Prompt(messages=USER), 8),)),
        Item("two", (Choose(Prompt(text="37+45="), ("82", "13")), Generate(Prompt(text="37+45="), 2))),
        Item("too long", (Generate(Prompt(text="a b " * 500), 8),)),
    ]
    told: list[Progress] = []
    count = ask(demo, iter(items), tmp_path / "a.jsonl", context=128, threads=1, total=3, listener=told.append)
    assert count == 3
    chat, two, long = read_answers(tmp_path / "a.jsonl")
    assert (chat[0], two[0], long[0]) == ("chat", "two", "too long")
    assert isinstance(chat[1][0], Said)
    assert chat[1][0].text == "82"
    choice, said = two[1]
    assert isinstance(choice, Chosen)
    assert isinstance(said, Said)
    assert (choice.best, said.text) == (0, "82")
    assert isinstance(long[1][0], Refused)
    assert (told[-1].done, told[-1].total, told[-1].unit) == (3, 3, "items")
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_nothing_asked_is_nothing_answered(demo: Subject, tmp_path: Path) -> None:
    assert ask(demo, [], tmp_path / "a.jsonl", context=128, threads=1, total=0) == 0
    assert list(read_answers(tmp_path / "a.jsonl")) == []


def test_a_file_that_is_no_model_is_the_runtimes_error(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + b"\0" * 100)
    items = [Item("one", (Generate(Prompt(text="a"), 2),))]
    with pytest.raises(RuntimeFailed):
        ask(Subject(tmp_path / "bad.gguf", "llama_cpp", "cpu"), items, tmp_path / "a", context=64, threads=1, total=1)


def test_a_damaged_answers_file_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text('{"id": "a", "answers": []}\n{"id": "b", "answers": [{"kind": "sung"}]}\n', encoding="utf-8")
    with pytest.raises(DataError, match="line 2"):
        list(read_answers(file))
    file.write_text('{"id": "a", "ans', encoding="utf-8")
    with pytest.raises(DataError, match="line 1"):
        list(read_answers(file))
    with pytest.raises(DataError, match="no answers can be read"):
        list(read_answers(tmp_path / "absent"))


def test_a_choice_is_as_sure_as_its_share_among_the_options() -> None:
    both = answered(Chosen((-2.0, -2.0), (1, 1)), True)
    assert both.confidence == pytest.approx([-0.6931472] * len(TEMPERATURES))
    clear = answered(Chosen((-30.0, -1.0), (1, 1)), False)
    assert clear.confidence[TEMPERATURES.index(1.0)] == pytest.approx(0.0, abs=1e-9)
    assert clear.confidence == tuple(sorted(clear.confidence, reverse=True))
    assert max(answered(Refused("no"), False).confidence) < -500


def test_items_of_a_round_are_seeded_by_family_seed_and_round() -> None:
    drawn = list(arithmetic.items(replace(SETTINGS, seed=5), Random("5-arithmetic-1"), 9))
    named = list(items_of(arithmetic, SETTINGS, seed=5, round=1, count=9))
    assert [one.probes for one in named] == [one.probes for one in drawn]
    assert len({question(one.id) for one in named}) == 9


def test_a_question_is_known_again_in_another_round_under_another_number() -> None:
    one, other = (Item(number, (Generate(Prompt(text="2+2="), 4),), {"expected": "4"}) for number in ("0", "7"))
    assert identified(one).id != identified(other).id
    assert question(identified(one).id) == question(identified(other).id)
    for changed in (replace(one, facts={"expected": "5"}), replace(one, probes=(Generate(Prompt(text="2+2="), 5),))):
        assert question(identified(changed).id) != question(identified(one).id)
    assert question("an id of somebody else's") == "an id of somebody else's"


def _step(demo: Subject, **changes: object) -> Ask:
    step = Ask(demo, "0" * 64, "arithmetic", SETTINGS, seed=1, round=0, count=4, threads=1, runtime_build="b")
    return replace(step, **changes)  # type: ignore[arg-type]


def test_the_key_holds_what_the_answers_depend_on(demo: Subject) -> None:
    key = _step(demo).key_parts()
    assert key == _step(demo, threads=2).key_parts()
    assert key == _step(demo, settings=replace(SETTINGS, before=99)).key_parts()  # arithmetic asks the same
    for changed in (
        {"seed": 2},
        {"round": 1},
        {"count": 5},
        {"subject_sha256": "1" * 64},
        {"runtime_build": "c"},
        {"settings": replace(SETTINGS, context=64)},
        {"subject": replace(demo, delegate="cuda")},
    ):
        assert _step(demo, **changed).key_parts() != key, changed


def test_answers_are_kept_and_stand_in_the_order_of_the_steps_items(demo: Subject, tmp_path: Path) -> None:
    store = Store(tmp_path)
    stored = store.run(_step(demo))
    again = store.run(_step(demo, threads=2))
    assert again.key == stored.key
    assert [decision.reused for decision in store.decisions] == [False, True]
    answers = list(read_answers(stored.file(ANSWERS)))
    assert [one for one, _ in answers] == [item.id for item in _step(demo).items()]


def test_a_step_whose_answers_are_not_all_there_fails(demo: Subject, tmp_path: Path) -> None:
    (tmp_path / ANSWERS).write_text('{"id": "a", "answers": []}\n', encoding="utf-8")
    with pytest.raises(StepFailed, match="1 of 4 items"):
        _step(demo).ensures(tmp_path)
