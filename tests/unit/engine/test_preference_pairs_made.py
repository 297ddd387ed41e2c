"""Pairs that are given, ranked by the teacher or by a scorer, or answered by the student first, as one corpus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sample_behaviour import sample_behaviour, sample_calm_behaviour

from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.events import silent
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.request import Request
from edgeshrink.core.shrinking_request import Sampling, Teaching
from edgeshrink.core.training import ObjectiveSettings, TrainingSettings
from edgeshrink.engine.place import open_place
from edgeshrink.engine.shrink.preference import agreement, capability, pairs_corpus, pairs_notes
from edgeshrink.engine.shrink.source import Source, open_source
from edgeshrink.engine.situation import find_device
from edgeshrink.engine.suite.chosen import chosen_suite
from edgeshrink.errors import DataError, UsageError
from edgeshrink.store import Store

SUMS = [(12, 63), (37, 45), (52, 41), (28, 30), (44, 39), (61, 17)]
LINES: list[dict[str, Any]] = [
    {"prompt": "Say something.", "chosen": "Good morning, friend.", "rejected": "No."},
    *({"prompt": f"What is {a}+{b}?", "answers": ["yellow", str(a + b), "yellow"]} for a, b in SUMS),
    {"prompt": "What is 20+30?", "answers": ["50", "11"], "expected": "11"},
    {"prompt": "What is 21+30?", "answers": ["50", "40"], "expected": "51"},
    {"prompt": "What is 22+30?", "answers": ["52"]},
    {"prompt": "What is 24+30?"},
    {"messages": [{"role": "user", "content": "What is 1+2?"}, {"role": "assistant", "content": "3"},
                  {"role": "user", "content": "What is 25+30?"}], "answers": ["55", "blue"]},
]  # fmt: skip


@dataclass(frozen=True)
class Ground:
    demo: Source
    store: Store
    folder: Path
    data: Path

    def teaching(self, *data: Path, **sampling: Any) -> Teaching:
        return Teaching(
            data=data or (self.data,),
            settings=TrainingSettings(steps=1, length=64),
            objective=ObjectiveSettings(kind="preference"),
            sampling=Sampling(**{"max_tokens": 6, "temperature": 0.1, **sampling}),
        )


@pytest.fixture(scope="module")
def ground(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The demo model, which can add, as teacher and student."""
    folder = tmp_path_factory.mktemp("preferences")
    data = folder / "mine.jsonl"
    data.write_text("\n".join(map(json.dumps, LINES)), encoding="utf-8")
    store = Store(folder / "store")
    request = Request(str(demo_model), "laptop-cpu", threads=1)
    _, profile, _ = find_device(request, None)
    with open_place(request, profile, silent) as place:
        yield Ground(open_source(request, store, place, silent), store, folder, data)


@pytest.fixture(scope="module")
def made(ground: Ground) -> Any:
    return pairs_corpus(ground.demo, ground.demo, ground.teaching(), None)


def _pairs(ground: Ground) -> dict[str, tuple[str, str]]:
    """Chosen and rejected answer by what was asked last, of the pairs that were made last."""
    made = [stored for stored in ground.demo.workshop.used if stored.step == "make-pairs"][-1]
    found = {}
    for line in made.file("pairs.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        asked = record.get("prompt") or record["messages"][-1]["content"]
        found[asked] = record["chosen"], record["rejected"]
    return found


def test_the_teacher_ranks_a_scorer_outranks_it_and_what_says_nothing_is_left_out(ground: Ground, made: Any) -> None:
    assert _pairs(ground) == {
        "Say something.": ("Good morning, friend.", "No."),
        **{f"What is {a}+{b}?": (str(a + b), "yellow") for a, b in SUMS},
        "What is 20+30?": ("11", "50"),
        "What is 25+30?": ("55", "blue"),
    }
    corpus = Corpus.open(made.folder)
    assert corpus.rows + corpus.held_out_rows == 9 and corpus.length == 128
    assert [source.name for source in corpus.sources] == ["mine.jsonl"]
    assert pairs_notes(made) == (
        "8 of 11 prompts with several answers became pairs; left out: 2 have fewer than two different answers that are"
        " whole, 1 have answers that are all right or all wrong",
    )


def test_other_answers_are_sampled_where_more_are_asked_for(ground: Ground, tmp_path: Path) -> None:
    """Hot enough to say different things; a prompt's own answers need no others."""
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("\n".join(json.dumps({"prompt": f"What is {a}+{b}?"}) for a, b in SUMS), encoding="utf-8")
    made = pairs_corpus(ground.demo, ground.demo, ground.teaching(prompts, temperature=2.2, samples=16), None)
    chosen = {asked: pair[0] for asked, pair in _pairs(ground).items()}
    assert len(chosen) >= 2 and Corpus.open(made.folder).rows + Corpus.open(made.folder).held_out_rows == len(chosen)
    right = sum(answer == str(eval(asked[8:-1])) for asked, answer in chosen.items())
    assert right >= len(chosen) - 1


def test_other_text_is_mixed_in_and_the_same_order_makes_the_same_corpus(
    ground: Ground, made: Any, tmp_path: Path
) -> None:
    text = tmp_path / "page.txt"
    text.write_text("A fox sat under a tree and counted his hens.\n\n" * 200, encoding="utf-8")
    mixed = Corpus.open(pairs_corpus(ground.demo, ground.demo, ground.teaching(ground.data, text), None).folder)
    alone = Corpus.open(made.folder)
    assert 1.5 * alone.rows < mixed.rows <= 2 * alone.rows and mixed.held_out_rows == alone.held_out_rows
    assert [source.name for source in mixed.sources] == ["mine.jsonl", "page.txt"]
    ground.store.decisions.clear()
    again = pairs_corpus(ground.demo, ground.demo, ground.teaching(), None)
    assert again.folder == made.folder and all(one.reused for one in ground.store.decisions)


def test_agreement_is_counted_on_what_was_held_out(ground: Ground, made: Any) -> None:
    pytest.importorskip("torch")
    (learnt,) = agreement(ground.demo, ground.demo, ground.demo, made)
    assert learnt.items == Corpus.open(made.folder).held_out_rows == 1
    assert learnt.before == learnt.after == learnt.teacher


def test_a_slice_that_fell_fails_the_line_that_asks_what_else_it_cost(ground: Ground) -> None:
    demo, floor = ground.demo, QualityFloor()
    suite = chosen_suite(Request(str(demo.folder), "laptop-cpu", suite="quick"))
    assert suite is not None
    assert capability(demo, demo, sample_calm_behaviour(), suite, floor).outcome == "PASS"
    line = capability(demo, demo, sample_behaviour(), suite, floor)
    assert line.outcome == "FAIL"
    assert "arithmetic (right)" in line.why and line.why.endswith("more")
    assert capability(demo, demo, Unmeasured("too large"), suite, floor).outcome == "UNKNOWN"


def test_what_cannot_be_preferred_is_refused_before_any_model_answers(ground: Ground, tmp_path: Path) -> None:
    text, broken = tmp_path / "page.txt", tmp_path / "broken.jsonl"
    text.write_text("words", encoding="utf-8")
    broken.write_text('\n{"prompt": "a", "chosen": "b", "rejected": "c"}\n{"text": "a"}\n', encoding="utf-8")
    single = tmp_path / "single.jsonl"
    single.write_text('{"prompt": "a", "answers": ["b"]}\n{"prompt": "a", "answers": ["b", 3]}\n', encoding="utf-8")
    for teaching, error, words in (
        (ground.teaching(text), UsageError, "no pairs to prefer by"),
        (ground.teaching(tmp_path / "none.jsonl"), UsageError, "there is no"),
        (replace(ground.teaching(), sampling=Sampling(scorer="my:own")), UsageError, "cannot rank answers"),
        (replace(ground.teaching(), tokens=100), UsageError, "pairs are all learnt from"),
        (ground.teaching(broken), DataError, r"broken\.jsonl, line 3: no pair of answers, and no prompt"),
        (ground.teaching(single), DataError, r"single\.jsonl, line 2: answers is"),
    ):
        with pytest.raises(error, match=words):
            pairs_corpus(ground.demo, ground.demo, teaching, None)
