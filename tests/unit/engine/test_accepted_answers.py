"""A teacher answers a person's prompts, and a student of other tokens gets those that are right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from edgeshrink.core.events import silent
from edgeshrink.core.request import Request
from edgeshrink.core.shrinking_request import Sampling, Teaching
from edgeshrink.engine.place import open_place
from edgeshrink.engine.shrink.sequences import accepted_answers, prompt_files, sampling_notes
from edgeshrink.engine.shrink.source import Source, open_source
from edgeshrink.engine.situation import find_device
from edgeshrink.errors import DataError, UsageError
from edgeshrink.store import Store

SUMS = [(12, 63), (37, 45), (52, 41), (28, 30), (44, 39), (61, 17), (73, 15), (86, 22)]
WRONG = SUMS[2]


@dataclass(frozen=True)
class Classroom:
    """The demo model, which can add, and a student with another vocabulary and no chat template."""

    teacher: Source
    student: Source
    store: Store
    folder: Path

    def teaching(self, **sampling: Any) -> Teaching:
        prompts = self.folder / "prompts.jsonl"
        return Teaching(sampling=Sampling(**{"prompts": (prompts,), "samples": 3, "max_tokens": 8, **sampling}))

    def accepted(self, **sampling: Any) -> Path:
        return accepted_answers(self.teacher, self.student, self.teaching(**sampling))


@pytest.fixture(scope="module")
def classroom(demo_model: Path, stories: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Classroom]:
    folder = tmp_path_factory.mktemp("classroom")
    store = Store(folder / "store")
    asked = [{"prompt": f"What is {a}+{b}?", "expected": str(a + b + ((a, b) == WRONG))} for a, b in SUMS]
    asked.append(
        {"messages": [{"role": "user", "content": "What is 12+63?"}, {"role": "assistant", "content": "It is 75."}]}
    )
    (folder / "prompts.jsonl").write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
    request = Request(str(demo_model), "laptop-cpu", threads=1)
    _, profile, _ = find_device(request, None)
    with open_place(request, profile, silent) as place:
        teacher = open_source(request, store, place, silent)
        student = open_source(replace(request, model=str(stories)), store, place, silent)
        yield Classroom(teacher, student, store, folder)


@pytest.fixture(scope="module")
def accepted(classroom: Classroom) -> Path:
    return classroom.accepted()


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_what_is_learnt_is_right_and_stands_once(accepted: Path) -> None:
    found = records(accepted)
    right = {f"What is {a}+{b}?": str(a + b) for a, b in SUMS if (a, b) != WRONG}
    judged = {one["prompt"]: one["answer"] for one in found if not one["id"].startswith("1-9-")}
    assert len(judged) >= 6 and judged.items() <= right.items()
    assert len({(one["prompt"], one["answer"]) for one in found}) == len(found)
    (note,) = sampling_notes(accepted)
    assert note.startswith(f"{len(found)} of 27 answers of the teacher are learnt from; dropped: ")
    assert " wrong" in note and " the same as another answer to that prompt" in note


def test_another_scorer_needs_no_other_answers(classroom: Classroom, accepted: Path) -> None:
    classroom.store.decisions.clear()
    again = classroom.accepted(scorer="contains")
    assert again != accepted and records(again)
    reused = {one.step: one.reused for one in classroom.store.decisions}
    assert reused["teacher-answers"] and not reused["sift-answers"]
    assert classroom.accepted() == accepted


def test_the_student_may_say_what_is_too_improbable(classroom: Classroom, accepted: Path) -> None:
    everything = classroom.accepted(perplexity_max=1e9, perplexity_of="student")
    assert records(everything) == records(accepted)
    with pytest.raises(DataError, match=r"0 of 27 answers .* too improbable, or too long to be scored"):
        classroom.accepted(perplexity_max=1.0, perplexity_of="student")
    probable = classroom.accepted(perplexity_max=1.5)
    assert 0 < len(records(probable)) <= len(records(accepted))
    assert sampling_notes(probable)[0].startswith(f"{len(records(probable))} of 27 answers")


def test_nothing_to_ask_and_no_scorer_are_told(classroom: Classroom, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no prompts for the teacher"):
        prompt_files(Teaching(data=(tmp_path / "a.txt",)))
    with pytest.raises(UsageError, match="there is no file"):
        classroom.accepted(prompts=(tmp_path / "none.jsonl",))
    with pytest.raises(UsageError, match="there is no scorer 'nobody'"):
        classroom.accepted(scorer="nobody")
    (tmp_path / "data.jsonl").write_text('{"prompt": "What is 37+45?"}\n', encoding="utf-8")
    teaching = replace(classroom.teaching(prompts=()), data=(tmp_path / "data.jsonl", tmp_path / "a.txt"))
    assert prompt_files(teaching) == (tmp_path / "data.jsonl",)
    (one,) = records(accepted_answers(classroom.teacher, classroom.student, teaching))
    assert (one["prompt"], one["answer"]) == ("What is 37+45?", "82")
