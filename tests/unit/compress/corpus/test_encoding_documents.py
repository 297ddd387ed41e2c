"""Documents as tokens: framed as the model reads them, and only what is to be learned counts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from edgeshrink.catalog.json_files import read_json
from edgeshrink.compress.corpus.chats import Rendered, render_documents
from edgeshrink.compress.corpus.documents import Document, Message
from edgeshrink.compress.corpus.encoding import Encoded, Encoder, Learn
from edgeshrink.errors import DataError

_BOS, _END = 0, 1
_TEXT = "Ein Fuchs, der über die Straße läuft: 12 Hühner! 「山」 🦊\n\n  def f(x):\n\treturn x"
_CHAT: tuple[Message, ...] = (
    {"role": "user", "content": "What is the time?"},
    {"role": "assistant", "content": "It is late, said the fox."},
    {"role": "user", "content": "And now?"},
    {"role": "assistant", "content": "Later still."},
)


def _one(encoder: Encoder, document: Document) -> Encoded:
    (answer,) = encoder.encode([document])
    assert isinstance(answer, Encoded)
    assert len(answer.ids) == len(answer.weights)
    return answer


def _learned(folder: Path, answer: Encoded) -> str:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    chosen = [token for token, weight in zip(answer.ids, answer.weights, strict=True) if weight]
    return str(tokenizer.decode(chosen, skip_special_tokens=False))


@pytest.fixture(scope="module")
def answers(demo_model: Path) -> Encoder:
    return Encoder.open(demo_model, "answers")


def test_whole_text_stands_between_bos_and_the_end_and_a_piece_has_none(demo_model: Path) -> None:
    encoder = Encoder.open(demo_model, "all")
    bare = Tokenizer.from_file(str(demo_model / "tokenizer.json")).encode(_TEXT, add_special_tokens=False).ids
    for ends, ids in ((True, [_BOS, *bare, _END]), (False, [_BOS, *bare])):
        answer = _one(encoder, Document(text=_TEXT, ends=ends))
        assert answer.ids == ids
        assert answer.weights == [0] + [1] * (len(ids) - 1)
    assert (encoder.bos_id, encoder.padding) == (_BOS, 2)


def test_marks_that_a_text_spells_are_marks_and_stand_once(answers: Encoder) -> None:
    answer = _one(answers, Document(text="<|begin|>A text.<|end|>"))
    assert answer.ids.count(_BOS) == answer.ids.count(_END) == 1


@pytest.mark.parametrize(("learn", "learned"), [("answers", " 4<|end|>"), ("all", "2 + 2 = 4<|end|>")])
def test_of_a_prompt_with_its_completion_the_completion_is_learned(
    demo_model: Path, learn: Learn, learned: str
) -> None:
    answer = _one(Encoder.open(demo_model, learn), Document(text="2 + 2 = 4", answer_at=7))
    assert _learned(demo_model, answer) == learned


def test_of_a_chat_all_that_the_assistant_says_is_learned_and_nothing_else(demo_model: Path, answers: Encoder) -> None:
    answer = _one(answers, Document(messages=_CHAT))
    whole = (
        "<|begin|><|user|>What is the time?<|end|><|assistant|>It is late, said the fox.<|end|>"
        "<|user|>And now?<|end|><|assistant|>Later still.<|end|>"
    )
    tokenizer = Tokenizer.from_file(str(demo_model / "tokenizer.json"))
    assert answer.ids == tokenizer.encode(whole, add_special_tokens=False).ids
    assert _learned(demo_model, answer) == "It is late, said the fox.<|end|>Later still.<|end|>"


def test_documents_of_all_kinds_keep_their_order_and_a_refused_chat_is_told(tmp_path: Path, demo_model: Path) -> None:
    folder = shutil.copytree(demo_model, tmp_path / "strict", ignore=shutil.ignore_patterns("*.safetensors"))
    settings = read_json(folder / "tokenizer_config.json")
    refusal = "{% if messages[0].role != 'user' %}{{ raise_exception('a user speaks first') }}{% endif %}"
    settings["chat_template"] = refusal + settings["chat_template"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    documents = [Document(text="one"), Document(messages=_CHAT[1:]), Document(messages=_CHAT), Document(text="two")]
    answers = Encoder.open(folder, "answers").encode(documents)
    assert [isinstance(answer, DataError) for answer in answers] == [False, True, False, False]
    assert isinstance(answers[1], DataError) and "a user speaks first" in answers[1].message
    texts = [_learned(folder, answer) for answer in answers if isinstance(answer, Encoded)]
    assert texts == ["one<|end|>", "It is late, said the fox.<|end|>Later still.<|end|>", "two<|end|>"]


def test_a_model_without_chats_reads_a_turn_as_text_and_refuses_a_chat(stories: Path) -> None:
    encoder = Encoder.open(stories, "answers")
    answer = _one(encoder, Document(messages=_CHAT[:2], turn=True))
    assert "It is late, said the fox." in _learned(stories, answer)
    assert "time" not in _learned(stories, answer)
    with pytest.raises(DataError, match="has no chat template"):
        encoder.encode([Document(messages=_CHAT)])


@pytest.mark.parametrize("name", ["demo", "stories"])
def test_tokens_spell_the_bytes_of_their_text(name: str, demo_model: Path, stories: Path) -> None:
    encoder = Encoder.open(demo_model if name == "demo" else stories, "all")
    spelt = encoder.token_bytes()
    ids = _one(encoder, Document(text=_TEXT)).ids
    space = 1 if encoder.vocabulary.add_space_prefix else 0  # the tokenizer puts it in front
    assert spelt[ids].sum() == len(_TEXT.encode()) + space
    assert spelt.shape == (encoder.facts.vocab_size,)


def test_a_folder_with_sentencepiece_alone_learns_text(tmp_path: Path, stories: Path) -> None:
    for file in ("config.json", "tokenizer.model", "tokenizer_config.json"):
        shutil.copyfile(stories / file, tmp_path / file)
    words = Document(text="Once upon a time there was a fox.")
    encoder = Encoder.open(tmp_path, "answers")
    assert _one(encoder, words).ids == _one(Encoder.open(stories, "all"), words).ids
    with pytest.raises(DataError, match=r"does not say which token spells what"):
        encoder.encode([Document(text="2 + 2 = 4", answer_at=7)])


@pytest.mark.parametrize(
    ("name", "learned"),
    [
        ("Qwen-Qwen2.5-7B-Instruct", ["It is late, said the fox.<|im_end|>", "Later still.<|im_end|>"]),
        # Its template shows the (empty) thought of the last answer only: the first is read, not learned.
        ("Qwen-Qwen3-0.6B", ["<think>\n\n</think>\n\nLater still.<|im_end|>"]),
        # Opens answers with a thought that finished ones do not show.
        ("deepseek-ai-DeepSeek-R1-Distill-Llama-8B", ["It is late, said the fox.</s>", "Later still.</s>"]),
        ("microsoft-Phi-3.5-mini-instruct", ["It is late, said the fox.<|end|>", "Later still.<|end|>\n</s>"]),
        ("meta-llama-Llama-3.1-8B-Instruct", ["It is late, said the fox.<|eot_id|>", "Later still.<|eot_id|>"]),
    ],
)
def test_answers_are_found_in_the_templates_of_real_models(shared_data: Path, name: str, learned: list[str]) -> None:
    template = (shared_data / "tokenizers" / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")
    marks = {"bos_token": "<s>", "eos_token": "</s>"}
    (chat,) = render_documents(template, [Document(messages=_CHAT)], answers=True, variables=marks)
    assert isinstance(chat, Rendered)
    found = [chat.text[start:end].replace("<｜end▁of▁sentence｜>", "</s>") for start, end in chat.said]
    assert found == learned
