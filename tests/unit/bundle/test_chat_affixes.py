"""A chat template as two texts: what a device without Jinja writes is what the template would have written."""

from __future__ import annotations

from pathlib import Path

import pytest
from built_formats import build_format

from edgeshrink.bundle.chat import ChatWords, chat_of, read_words
from edgeshrink.core.bundle import Chat
from edgeshrink.errors import RuntimeFailed
from edgeshrink.runtimes.chat import render_chat

TODAY = "2026-11-21T12:00:00+00:00"
QUESTIONS = ("What is a tram?", "Zwei\n\nZeilen <|user|> {{ bos_token }} 漢字 & \"quotes\" 'both'", "x")


def words(template: str, *, adds_bos: bool = True) -> ChatWords:
    return ChatWords(template, "<s>", "</s>", adds_bos, ("</s>",), (2,))


def asked(template: str, question: str) -> str:
    """The whole prompt, as the template itself writes it, and with the BOS that the tokenizer would add."""
    message = [{"role": "user", "content": question}]
    text = render_chat(template, message, bos_token="<s>", eos_token="</s>", today=TODAY)
    return text if text.startswith("<s>") else f"<s>{text}"


def settled(template: str) -> tuple[Chat, tuple[str, ...]]:
    chat, notes = chat_of(words(template), today=TODAY)
    assert chat is not None, notes
    return chat, notes


@pytest.mark.parametrize(
    ("name", "sentences"),
    [
        ("meta-llama-Llama-3.1-8B-Instruct", ["leaves out blanks"]),
        ("meta-llama-Llama-3.2-3B-Instruct", ["leaves out blanks", "today's date"]),
        ("google-gemma-2-2b-it", ["leaves out blanks"]),
        ("Qwen-Qwen2.5-7B-Instruct", []),
        ("Qwen-Qwen3-0.6B", []),
        ("HuggingFaceTB-SmolLM3-3B", []),
        ("microsoft-Phi-3.5-mini-instruct", []),
        ("mistralai-Mistral-Nemo-Instruct-2407", []),
        ("deepseek-ai-DeepSeek-R1-Distill-Llama-8B", []),
        ("openai-gpt-oss-120b", ["today's date"]),
        ("LFM2-8B-A1B", []),
    ],
)
def test_real_templates_are_said_in_two_texts(shared_data: Path, name: str, sentences: list[str]) -> None:
    template = (shared_data / "tokenizers" / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")
    chat, notes = settled(template)
    for question in QUESTIONS:
        assert chat.before + question + chat.after == asked(template, question)
    assert len(notes) == len(sentences)
    for note, sentence in zip(notes, sentences, strict=True):
        assert sentence in note
    assert (chat.template, chat.stop, chat.stop_ids) == ("chat_template.jinja", ("</s>",), (2,))


def test_a_template_that_writes_the_date_gets_the_day_of_the_build(shared_data: Path) -> None:
    file = shared_data / "tokenizers" / "chat_templates" / "meta-llama-Llama-3.2-3B-Instruct.jinja"
    chat, _ = settled(file.read_text(encoding="utf-8"))
    assert "Today Date: 21 Nov 2026" in chat.before


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0].content }} {{ messages[0].content }}",
        "{{ messages[0].content | upper }}",
        "{{ messages[0].content | e }}",
        "{{ messages[0].content[:20] }}",
        "{% if messages[0].content | length > 80 %}long{% else %}short{% endif %}{{ messages[0].content }}",
        "{{ messages[0].content[0] }}: {{ messages[0].content }}",
        "{{ messages[0].content | replace('\n', ' ') }}",
        "nothing of it",
        "{{ raise_exception('a system message must come first') }}",
        "{{ tools | length }}{{ messages[0].content }}",
        "{% if %}",
    ],
)
def test_a_template_that_does_more_than_stand_around_a_question_is_none(template: str) -> None:
    chat, notes = chat_of(words(template), today=TODAY)
    assert chat is None
    (note,) = notes
    assert "chat_template.jinja" in note


def test_blanks_that_a_template_cuts_in_its_own_way_are_told() -> None:
    for cut in ("messages[0].content | trim", "messages[0].content.lstrip()"):
        chat, (note,) = chat_of(words(f"<u>{{{{ {cut} }}}}</u>"), today=TODAY)
        assert chat is not None
        assert "blanks" in note


@pytest.mark.parametrize(("template", "adds", "before"), [
    ("{{ bos_token }}[{{ messages[0].content }}]", True, "<s>["),
    ("{{ bos_token }}[{{ messages[0].content }}]", False, "<s>["),
    ("[{{ messages[0].content }}]", True, "<s>["),
    ("[{{ messages[0].content }}]", False, "["),
])  # fmt: skip
def test_bos_stands_before_once_where_the_template_or_the_tokenizer_writes_it(
    template: str, adds: bool, before: str
) -> None:
    chat, _ = chat_of(words(template, adds_bos=adds), today=TODAY)
    assert chat is not None
    assert chat.before == before


def test_a_model_without_a_template_continues_text() -> None:
    assert chat_of(ChatWords(None, "<s>", "</s>", True, (), ()), today=TODAY) == (None, ())


def test_a_model_without_chats_has_words_all_the_same(stories: Path, tmp_path: Path) -> None:
    found = read_words(build_format(stories, tmp_path / "gguf", "gguf"), "llama_cpp")
    assert found.template is None
    assert found.stop_ids


def test_a_file_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(RuntimeFailed, match=r"bad\.gguf"):
        read_words(tmp_path / "bad.gguf", "llama_cpp")


@pytest.mark.parametrize(
    "around", ["{{ '\\ud800' }}", "{{ 'x' * 200000 }}", "{{ '\\x00' }}"], ids=["half a character", "endless", "NUL"]
)
def test_what_no_prompt_is_stays_out_of_a_bundle(around: str) -> None:
    chat, notes = chat_of(words(around + "{{ messages[0].content }}"), today=TODAY)
    assert chat is None
    assert "what no prompt is" in notes[0]
