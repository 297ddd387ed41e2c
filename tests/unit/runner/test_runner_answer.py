"""`answer`: the same words as `edgeshrink run`, and what it refuses."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest
from asking import AFTER, BEFORE, QUESTION, Chat
from native_runner import Runner

from edgeshrink.engine.conversation import Conversation, say
from edgeshrink.runtimes import llama_cpp

QUESTIONS = (QUESTION, "What is a cat?", "Once upon a time", "¿Qué es la caballería?", "It’s “quoted” — isn’t it?  ")


def told(chat: Chat, *more: object) -> dict[str, Any]:
    """The last event but one of a run with --json."""
    done = chat.answer(*more, "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [events[0]["event"], events[1]["event"], events[-1]["event"]] == ["hello", "loaded", "end"]
    assert events[-2]["event"] == "answer"
    assert "".join(event["text"] for event in events if event["event"] == "piece") == events[-2]["text"]
    return dict(events[-2])


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_is_the_one_that_run_gives(chat: Chat, question: str) -> None:
    expected = "".join(say(Conversation(chat.model, context=512, threads=2, max_tokens=60), question))
    done = chat.answer("--prompt", question, "--tokens", 60)
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, expected, b"")


def test_without_a_chat_the_tokenizer_s_own_defaults_hold(chat: Chat) -> None:
    bare = ("answer", "--model", chat.model, "--context", 512, "--threads", 2, "--tokens", 40)
    done = chat.run(*bare, "--prompt", "Once upon a time")
    raw = Conversation(chat.model, raw=True, context=512, threads=2, max_tokens=40)
    assert done.stdout.decode() == "".join(say(raw, "Once upon a time"))


def test_a_question_comes_from_stdin_without_its_last_newline(chat: Chat) -> None:
    expected = chat.answer("--prompt", QUESTION).stdout
    assert expected
    assert chat.answer(given=QUESTION.encode()).stdout == expected
    assert chat.answer(given=f"{QUESTION}\r\n".encode()).stdout == expected


def test_special_tokens_in_a_question_are_plain_text(chat: Chat) -> None:
    question = f"Hello{AFTER}<|begin|>"
    with llama_cpp.load(chat.model, context=512, threads=1, vocab_only=True) as session:
        around = [session.tokenize(text, add_special=False, parse_special=True) for text in (BEFORE, AFTER)]
        plain = session.tokenize(question, add_special=False, parse_special=False)
        special = {*session.tokenize(AFTER + BEFORE, add_special=False, parse_special=True)}
    assert not special & {*plain}
    assert told(chat, "--prompt", question, "--tokens", 1)["prompt"] == [*around[0], *plain, *around[1]]


def test_an_empty_affix_adds_nothing(chat: Chat) -> None:
    with llama_cpp.load(chat.model, context=512, threads=1, vocab_only=True) as session:
        plain = session.tokenize("Once", add_special=False, parse_special=False)
    bare = ("--model", chat.model, "--context", 512, "--threads", 2, "--before", "", "--prompt", "Once")
    (last,) = [
        json.loads(line)
        for line in chat.run("answer", *bare, "--tokens", 1, "--json").stdout.splitlines()
        if b'"event":"answer"' in line
    ]
    assert last["prompt"] == plain


def test_it_ends_at_tokens_that_were_named(chat: Chat) -> None:
    whole = told(chat, "--prompt", QUESTION)
    assert whole["why"] == "stop" and len(whole["ids"]) > 2
    cut = told(chat, "--prompt", QUESTION, "--stop-ids", f"7,{whole['ids'][2]}")
    assert (cut["ids"], cut["why"]) == (whole["ids"][:2], "stop")
    few = told(chat, "--prompt", QUESTION, "--tokens", 3)
    assert (few["ids"], few["why"]) == (whole["ids"][:3], "tokens")


def test_it_ends_where_the_context_is_full(chat: Chat) -> None:
    question = "word " * 480
    last = told(chat, "--prompt", question, "--tokens", 1000, "--temperature", 1.5)
    assert last["why"] in ("context", "stop")
    assert len(last["prompt"]) + len(last["ids"]) <= 513


def test_sampling_follows_its_seed(chat: Chat) -> None:
    def ids(seed: int) -> list[int]:
        found = told(chat, "--prompt", "Tell me a story.", "--temperature", 1.2, "--seed", seed, "--tokens", 24)["ids"]
        return list(found)

    assert ids(1) == ids(1)
    assert len({tuple(ids(seed)) for seed in range(1, 5)}) > 1


def test_a_character_in_several_tokens_is_written_whole(chat: Chat) -> None:
    """So hot that tokens come which are a part of a character."""
    texts, parts = [], 0
    for seed in range(3):
        done = chat.answer("--prompt", "¿…? ñ é 中 😀", "--temperature", 6, "--seed", seed, "--json", "--tokens", 120)
        events = [json.loads(line) for line in done.stdout.decode("utf-8", "strict").splitlines()]
        with llama_cpp.load(chat.model, context=512, threads=1, vocab_only=True) as session:
            pieces = [session.piece(token) for token in events[-2]["ids"]]
        raw = b"".join(pieces)
        parts += sum("\ufffd" in piece.decode("utf-8", "replace") for piece in pieces)
        assert events[-2]["text"] == raw.decode("utf-8", "replace")
        texts += [event["text"] for event in events if event["event"] == "piece"]
        plain = chat.answer("--prompt", "¿…? ñ é 中 😀", "--temperature", 6, "--seed", seed, "--tokens", 120)
        assert plain.stdout == raw.decode("utf-8", "replace").encode()
    assert parts and all(texts)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"", "the question is empty"),
        (b"\n", "the question is empty"),
        (b"caf\xe9", "the question is not UTF-8"),
        (b"word " * 600, "tokens with what belongs around it and the context is 512"),
        (b"a" * 1_000_000, "a question of 1000000 bytes does not fit a context of 512 tokens"),
        (b"a" * ((1 << 20) + 1), "the question is longer than 1 MiB"),
    ],
    ids=["empty", "newline", "latin-1", "tokens", "bytes", "mebibyte"],
)
def test_a_question_that_cannot_be_answered_is_1_and_one_line(chat: Chat, given: bytes, words: str) -> None:
    done = chat.answer(given=given)
    assert (done.returncode, done.stdout) == (1, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("edgeshrink-runner: ") and words in line


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        (("--model", "none.gguf"), 1, "none.gguf: there is no such file"),
        (("--before", "none.txt"), 1, "none.txt: cannot be read"),
        (("--stop-ids", "1,99999999"), 2, "--stop-ids wants a number"),
        (("--stop-ids", "1,9999999"), 1, "--stop-ids 9999999: the model has"),
        (("--tokens", "0"), 2, "--tokens wants a number"),
        (("--temperature", "-1"), 2, "--temperature wants a number"),
        (("--colour", "red"), 2, "there is no option --colour"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_said_on_stderr_alone(chat: Chat, changed: tuple[str, ...], code: int, words: str) -> None:
    done = chat.answer("--prompt", "Hello", *changed)
    assert (done.returncode, done.stdout) == (code, b"")
    (line,) = done.stderr.decode().splitlines()
    assert words in line


def test_a_file_without_tokenizer_cannot_answer(runner: Runner, chat: Chat, wordless: Path) -> None:
    done = chat.run("answer", "--model", wordless, "--context", 256, "--threads", 1, "--prompt", "Hello")
    assert done.returncode == 1
    assert b"has no tokenizer" in done.stderr


def test_control_characters_in_errors_do_not_reach_the_terminal(chat: Chat) -> None:
    done = chat.answer("--prompt", "Hello", "--model", "a\x1b[31m.gguf")
    assert b"\x1b" not in done.stderr and "\ufffd[31m".encode() in done.stderr


def test_on_a_terminal_a_newline_ends_the_answer(chat: Chat) -> None:
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            chat.runner.command("answer", *chat.options("--prompt", QUESTION)), stdout=theirs, stdin=subprocess.DEVNULL
        ) as process:
            assert process.wait(60) == 0
        shown = os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)
    assert shown == chat.answer("--prompt", QUESTION).stdout + b"\r\n"
