"""How a question is put to a model is the same in every format, token by token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeshrink.bundle.chat import chat_of, read_words
from edgeshrink.core.bundle import Chat
from edgeshrink.runtimes.chat import render_chat
from edgeshrink.runtimes.registry import runtime

FORMATS = {"llama_cpp": "gguf", "onnx": "onnx", "executorch": "executorch"}
QUESTION = "Tell me a story about <|end|> and the rain."


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_keeps_the_words_of_its_chats(name: str, float_model: Callable[[str, str], Path]) -> None:
    file = float_model("llama", FORMATS[name])
    words = read_words(file, name)
    assert (words.bos, words.eos, words.adds_bos) == ("<|begin|>", "<|end|>", True)
    chat, notes = chat_of(words, today="2026-11-21T12:00:00Z")
    assert chat == Chat("chat_template.jinja", "<|begin|><|user|>", "<|end|><|assistant|>", ("<|end|>",), (1,))
    assert notes == ()


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_three_texts_are_tokenized_as_the_whole_prompt(name: str, float_model: Callable[[str, str], Path]) -> None:
    file = float_model("llama", FORMATS[name])
    words = read_words(file, name)
    chat, _ = chat_of(words, today="2026-11-21T12:00:00Z")
    assert chat is not None
    assert words.template is not None
    harmless = QUESTION.replace("<|end|>", "wind")
    whole = render_chat(words.template, [{"role": "user", "content": harmless}], bos_token=words.bos)
    with runtime(name).load(file, context=64, threads=1, vocab_only=True) as session:

        def ids(text: str, *, special: bool) -> list[int]:
            return session.tokenize(text, add_special=False, parse_special=special)

        assert ids(chat.before, special=True) + ids(harmless, special=False) + ids(chat.after, special=True) == ids(
            whole, special=True
        )
        # A question that spells a token of the frame stays a question.
        assert not set(chat.stop_ids) & set(ids(QUESTION, special=False))


def test_a_file_for_a_delegate_that_is_not_here_has_words_all_the_same(
    float_model: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = float_model("llama", "executorch")
    from edgeshrink.runtimes import executorch, executorch_library

    def absent(path: Path) -> str:
        raise AssertionError(f"{path}: asked for its delegate")

    monkeypatch.setattr(executorch_library, "require_backends", absent)
    with executorch.load(file, context=64, threads=1, vocab_only=True) as session:
        assert session.chat_template
    with pytest.raises(AssertionError, match="asked for its delegate"):
        executorch.load(file, context=64, threads=1)
