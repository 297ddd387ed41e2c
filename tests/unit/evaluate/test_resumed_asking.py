"""Asking for hours: what a killed run left is gone on with, and the answers are those of a run that was not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from built_gguf import Builder

from edgeshrink.core.events import Progress
from edgeshrink.evaluate import resumed_asking
from edgeshrink.evaluate.probes import Generate, Prompt
from edgeshrink.evaluate.resumed_asking import ask_on
from edgeshrink.evaluate.slices.interface import Item
from edgeshrink.evaluate.subject import Subject

COUNT = 6


def items() -> Iterator[Item]:
    for number in range(COUNT):
        yield Item(
            f"{number}", (Generate(Prompt(text=f"Once {'upon ' * number}a time"), 6, temperature=1.0, seed=number),)
        )


def run(built: Builder, folder: Path, told: list[Progress]) -> Path:
    subject = Subject(built("F32").path, "llama_cpp", "cpu")
    file = folder / "answers.jsonl"
    ask_on(subject, items, file, context=64, threads=1, total=COUNT, task="t", listener=told.append)
    return file


@pytest.fixture(scope="module")
def whole(built: Builder, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("whole")
    answers = run(built, folder, []).read_bytes()
    assert answers.count(b"\n") == COUNT and [path.name for path in folder.iterdir()] == ["answers.jsonl"]
    return answers


def test_a_killed_run_goes_on_behind_its_last_whole_answer(built: Builder, whole: bytes, tmp_path: Path) -> None:
    lines = whole.splitlines(keepends=True)
    parts = tmp_path / "parts"
    (parts / "tmpleft").mkdir(parents=True)
    (parts / "tmpleft" / "probes.jsonl").write_text("left by a killed run", encoding="utf-8")
    (parts / "000000.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:20])
    (parts / "000001.jsonl").write_bytes(lines[2] + lines[3][:-1])
    told: list[Progress] = []
    assert run(built, tmp_path, told).read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["answers.jsonl"]
    assert (told[-1].done, told[-1].total) == (COUNT, COUNT) and all(one.done >= 3 for one in told)


def test_whole_answers_are_asked_no_more(
    built: Builder, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumed_asking, "ask", lambda *_, **__: pytest.fail("asked again"))
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "000000.jsonl").write_bytes(whole[:9])  # its end was reached, and then it was killed
    (tmp_path / "answers.jsonl").write_bytes(whole)
    assert run(built, tmp_path, []).read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["answers.jsonl"]
