"""Text that a model writes of its own accord: what the lines hold, no text twice, and a kill changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from tiny_models import write_tiny_model

from edgeshrink.compress.distill import self_written
from edgeshrink.compress.distill.self_written import Written, partial_file, record_file, write_texts
from edgeshrink.core.events import Progress
from edgeshrink.errors import DataError, UsageError

Write = Callable[..., Written]
TOKENS, LENGTH = 1500, 24
TURN = [[0, 4], [1, 5]]  # of the demo's template


class Killed(Exception):
    """The process is gone."""


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Write:
    """`write_texts` with the job in this process, which is killed after `batches`."""
    from edgeshrink.compress.distill.self_written_job import job

    def call(model: Path, file: Path, batches: int | None = None, turn: Any = TURN, **settings: Any) -> Written:
        done = []

        def run_job(_name: str, parameters: dict[str, Any], on_event: Callable[[dict[str, object]], None]) -> Any:
            def emit(event: dict[str, object]) -> None:
                on_event(event)
                done.append(event)
                if len(done) == batches:
                    raise Killed

            return job(parameters, emit)

        with monkeypatch.context() as patch:
            patch.setattr("edgeshrink.runtimes.child.run_job", run_job)
            patch.setattr(self_written, "_user_turn", lambda *_: turn)
            return write_texts(model, file, **{"tokens": 400, "length": 16, "threads": 1, **settings})

    return call


@pytest.fixture(scope="module")
def tiny(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With random weights: it hardly ever ends a text, and never says the same twice."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "model", demo_model)


@pytest.fixture(scope="module")
def whole(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Written, list[Progress]]:
    """From a child process, as the engine calls it."""
    told: list[Progress] = []
    file = tmp_path_factory.mktemp("texts") / "new" / "texts.jsonl"
    return write_texts(demo_model, file, tokens=TOKENS, length=LENGTH, threads=1, listener=told.append), told


def _lines(file: Path) -> list[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_the_demo_writes_texts_and_chats(whole: tuple[Written, list[Progress]]) -> None:
    written, told = whole
    lines = _lines(written.file)
    assert len(lines) == written.texts
    assert TOKENS <= written.tokens < 2 * TOKENS
    assert written.tokens_s == pytest.approx(written.tokens / written.seconds)
    texts = [line["text"] for line in lines if "text" in line]
    chats = [line["messages"] for line in lines if "messages" in line]
    assert len(texts) + len(chats) == len(lines)
    assert len(texts) > 10 and len(chats) > 2
    for chat in chats:
        assert [message["role"] for message in chat] == ["user", "assistant"]
        assert all(message["content"].strip() for message in chat)
    spelled = [*texts, *(message["content"] for chat in chats for message in chat)]
    assert all(text.strip() and "<|" not in text for text in spelled)
    assert told[-1] == Progress("text by the teacher", TOKENS, TOKENS, "tokens")
    assert not partial_file(written.file).exists()


def test_the_texts_are_of_the_lengths_asked_for(whole: tuple[Written, list[Progress]], demo_model: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(demo_model / "tokenizer.json"))
    lengths = [
        len(tokenizer.encode(line["text"], add_special_tokens=False).ids)
        for line in _lines(whole[0].file)
        if "text" in line
    ]
    assert max(lengths) <= LENGTH + 2  # written in other pieces than the tokenizer would cut
    assert sum(length >= LENGTH - 3 for length in lengths) > len(lengths) / 2


def test_a_run_that_is_killed_ends_in_the_same_file(write: Write, tiny: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "texts.jsonl", tmp_path / "other.jsonl"
    whole = write(tiny, other)
    for batches in (1, 2):
        with pytest.raises(Killed):
            write(tiny, file, batches=batches)
        assert not file.exists()
        with partial_file(file).open("ab") as lines:
            lines.write(b'{"text": "half a li')  # a batch that was being written
    ended = write(tiny, file)
    assert file.read_bytes() == other.read_bytes()
    assert replace(ended, file=other, seconds=0, tokens_s=0) == replace(whole, seconds=0, tokens_s=0)
    assert write(tiny, file, batches=1) == ended  # nothing more to write
    assert not partial_file(file).exists()


def test_other_wishes_start_anew(write: Write, tiny: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "texts.jsonl", tmp_path / "other.jsonl"
    with pytest.raises(Killed):
        write(tiny, file, batches=1, seed=1)
    write(tiny, other, seed=2)
    write(tiny, file, seed=2)
    assert file.read_bytes() == other.read_bytes()


def test_lines_that_are_lost_are_written_again(write: Write, tiny: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "texts.jsonl", tmp_path / "other.jsonl"
    write(tiny, other)
    with pytest.raises(Killed):
        write(tiny, file, batches=2)
    partial_file(file).unlink()
    write(tiny, file)
    assert file.read_bytes() == other.read_bytes()


def test_a_text_is_kept_once_and_a_model_that_repeats_itself_is_refused(
    write: Write, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At hardly any temperature a text follows from its first word, and here ten words may begin one."""
    monkeypatch.setattr(
        "edgeshrink.compress.distill.self_written_job.Author._is_word", lambda _, number: number // 10 == 30
    )
    file = tmp_path / "texts.jsonl"
    written = write(tiny, file, temperature=1e-6, tokens=120)
    assert written.duplicates > 0
    lines = file.read_text(encoding="utf-8").strip().split("\n")
    assert len(set(lines)) == len(lines) == written.texts
    with pytest.raises(DataError, match=r"writes nothing new: \d+ texts") as refused:
        write(tiny, file, temperature=1e-6, tokens=2000)
    assert "--data" in refused.value.hint


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_a_model_without_a_template_writes_texts_alone(
    kind: str, write: Write, demo_model: Path, tmp_path: Path
) -> None:
    model = write_tiny_model(tmp_path / "model", demo_model, kind, settings=False)
    assert self_written._user_turn(*_read(model)) is None
    lines = _lines(write(model, tmp_path / "texts.jsonl", turn=None).file)
    assert {tuple(line) for line in lines} == {("text",)}


def _read(model: Path) -> tuple[Any, Any]:
    from edgeshrink.catalog.huggingface import inspect_folder
    from edgeshrink.catalog.tokenizers import read_vocabulary

    facts = inspect_folder(model, str(model))
    return facts, read_vocabulary(facts)


def test_the_users_turn_comes_from_the_template(demo_model: Path) -> None:
    """<|begin|><|user|> … <|end|><|assistant|>"""
    assert self_written._user_turn(*_read(demo_model)) == TURN


@pytest.mark.parametrize(
    "template",
    [
        "{{ bos_token }}[INST] {{ messages[0].content }} [/INST]",  # no special token ends the user's words
        "{{ raise_exception('no') }}",
        "{{ bos_token }}hello",
        "{{ messages[0].content }}{{ eos_token }}",  # nothing opens them
    ],
)
def test_a_template_that_cannot_be_written_into_is_left_alone(template: str, demo_model: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(demo_model, model)
    settings = json.loads((model / "tokenizer_config.json").read_text(encoding="utf-8"))
    (model / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": template}), encoding="utf-8")
    assert self_written._user_turn(*_read(model)) is None


def test_wishes_that_make_no_text_are_refused(demo_model: Path, tmp_path: Path) -> None:
    for wrong in ({"tokens": 0}, {"length": 1}, {"temperature": 0.0}):
        with pytest.raises(UsageError, match="no text can be written"):
            write_texts(demo_model, tmp_path / "x", **{"tokens": 10, "threads": 1, **wrong})  # type: ignore[arg-type]
    (tmp_path / "model").mkdir()
    for name in ("config.json", "tokenizer.json"):
        shutil.copyfile(demo_model / name, tmp_path / "model" / name)
    with pytest.raises(DataError, match="has no weights"):
        write_texts(tmp_path / "model", tmp_path / "x", tokens=10, threads=1)
    assert not record_file(tmp_path / "x").exists()
