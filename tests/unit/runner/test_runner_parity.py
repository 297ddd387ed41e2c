"""The runner computes what the Python runtime computes, from the same file with the same libraries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from native_runner import Runner

from edgeshrink.runtimes import llama_cpp

SCHEMES = ("Q8_0", "Q4_K_M")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_greedy_ids_and_text_are_the_python_runtime_s(
    runner: Runner, demo: Callable[[str], Path], text: Path, scheme: str
) -> None:
    arguments = ("--context", 512, "--threads", 2, "--text", text, "--prompt-tokens", 40, "--count", 48)
    said = runner("greedy", "--model", demo(scheme), *arguments).one("greedy")
    with llama_cpp.load(demo(scheme), context=512, threads=2, all_logits=False) as session:
        assert said["prompt"] == session.tokenize(text.read_text()[:480], add_special=True, parse_special=False)[:40]
        ids = [int(np.argmax(session.prefill(said["prompt"])))]
        while len(ids) < 48:
            ids.append(int(np.argmax(session.decode(ids[-1]))))
        assert said["ids"] == ids
        assert said["text"] == session.detokenize(ids).decode("utf-8", "replace")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_logits_are_the_python_runtime_s(runner: Runner, demo: Callable[[str], Path], text: Path, scheme: str) -> None:
    arguments = ("--context", 256, "--threads", 2, "--text", text, "--prompt-tokens", 24)
    spoken = runner("logits", "--model", demo(scheme), *arguments)
    events = spoken.all("logits")
    assert [event["position"] for event in events] == list(range(24))
    with llama_cpp.load(demo(scheme), context=256, threads=2) as session:
        expected = session.logits(spoken.one("prompt")["ids"])
    assert np.array_equal(np.array([event["values"] for event in events], np.float32), expected)


def test_a_short_text_is_repeated_without_its_beginning(
    runner: Runner, demo: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "short.txt").write_text("Wait — what?")
    arguments = ("--context", 256, "--threads", 1, "--text", tmp_path / "short.txt", "--prompt-tokens", 100)
    spoken = runner("greedy", "--model", demo("Q8_0"), *arguments, "--count", 1)
    with llama_cpp.load(demo("Q8_0"), context=256, threads=1, vocab_only=True) as session:
        first, *body = session.tokenize("Wait — what?", add_special=True, parse_special=False)
    assert spoken.one("prompt")["origin"] == "tokens of shipped text"
    assert spoken.one("prompt")["ids"] == ([first] + body * 100)[:100]


def test_a_text_is_cut_between_two_characters(runner: Runner, demo: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "wide.txt").write_text("x" + "é" * 60)  # 12 bytes a token are read: the last one is half a character
    arguments = ("--context", 256, "--threads", 1, "--text", tmp_path / "wide.txt", "--prompt-tokens", 2, "--count", 1)
    ids = runner("greedy", "--model", demo("Q8_0"), *arguments).one("prompt")["ids"]
    with llama_cpp.load(demo("Q8_0"), context=256, threads=1, vocab_only=True) as session:
        assert ids == session.tokenize("x" + "é" * 11, add_special=True, parse_special=False)[:2]


def test_a_file_without_tokenizer_gets_the_same_random_ids_each_time(
    runner: Runner, wordless: Path, text: Path
) -> None:
    arguments = ("--context", 256, "--threads", 1, "--text", text, "--prompt-tokens", 12, "--count", 3)
    first, again = (runner("greedy", "--model", wordless, *arguments) for _ in range(2))
    prompt = first.one("prompt")
    assert prompt["origin"] == "random ids"
    assert len(set(prompt["ids"])) > 6
    assert all(0 <= token < 4096 for token in prompt["ids"])
    assert first.one("greedy") == again.one("greedy")
    assert first.one("greedy")["text"] == ""
