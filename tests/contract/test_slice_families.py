"""What any family of slices that asks must do: one matrix over the registry, which leaves none out."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from built_gguf import build_gguf
from slice_families import COUNT, KINDS, broken, digests, items_by, options, oracle, settings

from edgeshrink.core.behaviour import Confidence
from edgeshrink.evaluate.answers import read_answers
from edgeshrink.evaluate.asking import ask
from edgeshrink.evaluate.probe_lines import PROBES, probes_line, read_probes
from edgeshrink.evaluate.probes import Refused
from edgeshrink.evaluate.slices.interface import AskingFamily, Item, Score, Settings
from edgeshrink.evaluate.slices.registry import ASKING, asking
from edgeshrink.evaluate.slices.tally import Tally
from edgeshrink.evaluate.subject import Subject

CONTEXT = 512
SETTINGS = {"a chat model": (True, CONTEXT), "no chat template": (False, CONTEXT), "a long context": (True, 8192)}
CONFIDENCE = Confidence(0.05, 20, 3)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return options(tmp_path_factory.mktemp("suite"))


@pytest.fixture(params=sorted(ASKING))
def family(request: pytest.FixtureRequest) -> AskingFamily:
    return asking(request.param)


@pytest.fixture(params=SETTINGS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def known(family: AskingFamily, kind: str, given: dict[str, dict[str, Any]]) -> Settings:
    return settings(*SETTINGS[kind], given.get(family.NAME, {}))


def test_the_registry_calls_it_by_its_name() -> None:
    assert {name: asking(name).NAME for name in ASKING} == {name: name for name in ASKING}


def test_it_says_what_it_fills_or_why_nothing(family: AskingFamily, known: Settings) -> None:
    facts = family.slices(known)
    names = [one.name for one in facts]
    assert len(set(names)) == len(names)
    assert facts or (family.why_not(known) and not known.chat)
    for one in facts:
        assert one.title and one.metrics
        assert len({metric.name for metric in one.metrics}) == len(one.metrics)
        assert one.chance is None or 0.0 <= one.chance < 0.9


def test_the_same_arguments_give_the_sameitems_by(family: AskingFamily, known: Settings) -> None:
    items = items_by(family, known)
    assert items == items_by(family, known)
    if family.slices(known):
        assert len(items) == COUNT
        assert len({item.id for item in items}) > COUNT * 0.8
        assert all(item.probes for item in items)


def test_another_seed_gives_otheritems_by(family: AskingFamily, known: Settings) -> None:
    if family.slices(known):
        assert _asked(family, known, seed=1) != _asked(family, known, seed=2)


def test_another_round_gives_otheritems_by(family: AskingFamily, given: dict[str, dict[str, Any]]) -> None:
    known = settings(True, CONTEXT, given.get(family.NAME, {}))
    first = set(_asked(family, known, count=12))
    second = set(_asked(family, replace(known, before=12), round=1, count=12))
    assert len(second - first) > 6


def test_items_cross_as_json(family: AskingFamily, known: Settings, tmp_path: Path) -> None:
    items = items_by(family, known)
    (tmp_path / PROBES).write_text("".join(probes_line(item.id, item.probes) for item in items), encoding="utf-8")
    back = list(read_probes(tmp_path / PROBES))
    assert [probes_line(*one) for one in back] == [probes_line(item.id, item.probes) for item in items]
    for item in items:
        assert json.loads(json.dumps(item.facts, allow_nan=False)) == item.facts


def test_who_answers_by_the_book_loses_nothing(family: AskingFamily, known: Settings) -> None:
    """The oracle has each metric at its best, and against itself no slice has a loss."""
    facts = {one.name: {metric.name: metric for metric in one.metrics} for one in family.slices(known)}
    tally = Tally(family.slices(known), CONFIDENCE)
    answered = set()
    for item in items_by(family, known):
        for score in family.score(item, oracle(item), oracle(item)):
            tally.add(score)
            answered.add(score.slice)
            for name, (reference, candidate) in score.values.items():
                assert reference == candidate
                if facts[score.slice][name].kind == "share":
                    best = 1.0 if facts[score.slice][name].better == "higher" else 0.0
                    assert reference == best, (score.slice, name, item)
    assert answered == set(facts)
    for one in tally.slices():
        assert getattr(one.metrics[0].loss, "value", None) == 0.0, one
        assert not one.worst


def test_garbage_raises_nothing_and_is_worse(family: AskingFamily, known: Settings) -> None:
    """Of every slice: there is a kind of broken model that falls behind the oracle, and none that beats it."""
    lost: dict[str, list[float]] = defaultdict(list)
    for kind in range(KINDS):
        tally = Tally(family.slices(known), CONFIDENCE)
        for item in items_by(family, known):
            for score in family.score(item, oracle(item), broken(item, kind)):
                _check(score, item, family, known)
                tally.add(score)
            for _ in family.score(item, broken(item, kind), oracle(item)):
                pass
            for _ in family.score(item, broken(item, kind), broken(item, KINDS - 1 - kind)):
                pass
        for one in tally.slices():
            if one.items:
                lost[one.name].append(getattr(one.metrics[0].loss, "value", 0.0))
    assert lost.keys() == {one.name for one in family.slices(known)}
    for name, losses in lost.items():
        assert min(losses) >= 0.0, name
        assert max(losses) > 0.25, name


def test_items_are_the_same_in_another_process(given: dict[str, dict[str, Any]]) -> None:
    """Python salts hash() anew in each: nothing may depend on it, nor on the order of a set."""
    script = "import json, sys\nfrom slice_families import digests\nprint(json.dumps(digests(json.loads(sys.argv[1]))))"
    paths = os.pathsep.join(sys.path)
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "77"}
    told = subprocess.run(
        [sys.executable, "-c", script, json.dumps(given)], capture_output=True, text=True, env=environment, check=True
    )
    assert json.loads(told.stdout) == digests(given)


@pytest.fixture(scope="module")
def answers(
    given: dict[str, dict[str, Any]], demo_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[str, Item, Any]]:
    """What the demo model really says to some items of every family, with and without its template."""
    folder = tmp_path_factory.mktemp("asked")
    gguf = build_gguf(demo_model, folder / "demo.gguf", "Q8_0").path
    items = [
        (name, item)
        for name in ASKING
        for chat in (True, False)
        for item in items_by(asking(name), settings(chat, CONTEXT, given.get(name, {})), count=5)
    ]
    file = folder / "answers.jsonl"
    asked = ask(
        Subject(gguf, "llama_cpp", "cpu"), (item for _, item in items), file, context=CONTEXT, threads=1, total=0
    )
    assert asked == len(items)
    return [(name, item, told) for (name, item), (_, told) in zip(items, read_answers(file), strict=True)]


def test_a_real_model_can_be_asked_all_of_it(
    answers: list[tuple[str, Item, Any]], given: dict[str, dict[str, Any]]
) -> None:
    """Nothing is too long for the context it was made for, and every answer can be scored and shown."""
    for name, item, told in answers:
        assert not [answer for answer in told if isinstance(answer, Refused)], (name, item.id, told)
        for score in asking(name).score(item, told, told):
            assert score.shown.prompt and score.shown.expected
            assert all(reference == candidate for reference, candidate in score.values.values())


def _asked(family: AskingFamily, known: Settings, **which: int) -> list[str]:
    return [probes_line("", item.probes) for item in items_by(family, known, **which)]


def _check(score: Score, item: Item, family: AskingFamily, known: Settings) -> None:
    declared = {one.name: {metric.name: metric for metric in one.metrics} for one in family.slices(known)}
    assert score.slice in declared
    assert score.item == item.id
    assert all(isinstance(part, str) and part for part in score.parts)
    for name, pair in score.values.items():
        metric = declared[score.slice][name]
        for value in pair:
            assert isinstance(value, float) and math.isfinite(value)
            assert metric.unit != "share" or 0.0 <= value <= 1.0
    for text in (score.shown.prompt, score.shown.expected, score.shown.reference, score.shown.candidate):
        assert isinstance(text, str)
